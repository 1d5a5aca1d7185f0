import QuickstepNN

/// Of how many evaluations the blocks of a singlestep run consist: a block of k evaluations is one step of order k.
package enum SinglestepOrders {
  /// The list for N evaluations of the authors' code ("DPM-Solver-fast"): as many blocks of the greatest order as leave an end of lower ones.
  ///
  /// Order 3: N = 3K → 3^(K−1), 2, 1; 3K+1 → 3^K, 1; 3K+2 → 3^K, 2. Order 2: 2^K and a 1 for an odd N.
  package static func official(evaluations: Int, order: Int) -> [Int] {
    guard order > 1 else { return Array(repeating: 1, count: evaluations) }
    let (whole, rest) = (evaluations / order, evaluations % order)
    if order == 3, rest == 0 { return Array(repeating: 3, count: whole - 1) + [2, 1] }
    return Array(repeating: order, count: whole) + (rest > 0 ? [rest] : [])
  }

  /// The list of diffusers with `lower_order_final`: as the official one, but a run of order 2 and even length ends with two blocks of one.
  package static func loweredAtEnd(evaluations: Int, order: Int) -> [Int] {
    let official = official(evaluations: evaluations, order: order)
    guard order == 2, evaluations % 2 == 0 else { return official }
    return official.dropLast() + [1, 1]
  }

  /// Blocks of the greatest order alone; a rest that does not fill one is a block of its own.
  package static func fixed(evaluations: Int, order: Int) -> [Int] {
    Array(repeating: order, count: evaluations / order) + (evaluations % order > 0 ? [evaluations % order] : [])
  }
}

/// The singlestep steps of DPM-Solver and DPM-Solver++ in one place.
///
/// A block of order k begins at a level s and ends at t. Its stages are first order to s1, and in a block of three second order from s to s2,
/// with the slope between s and s1; the last one goes from s to t with the slopes of all.
struct DPMSinglestep {
  /// Where stages lie.
  enum Stages: String, CaseIterable {
    /// Between two levels of the grid, evenly in λ: a step of the grid costs as many evaluations as its order.
    case between
    /// At levels of the grid: a block is several steps of the grid, each of one evaluation.
    case grid
  }

  /// How the evaluations are divided into blocks.
  enum Blocks: String, CaseIterable {
    /// The greatest order as often as it fits.
    case fixed
    /// The list of the authors' code.
    case official
    /// That of diffusers with `lower_order_final`.
    case lowered
  }

  var prediction = PredictionKind.denoised
  var order = 2
  var variant = SlopeVariant.midpoint
  var stages = Stages.between
  var blocks = Blocks.fixed
  var evaluations = 0
  var eta = 0.0
  var noiseScale = 1.0

  static let parameters = [
    SlopeVariant.parameter,
    ParameterDeclaration(
      name: "stages", summary: "Stages lie between the grid's levels, evenly in λ, or at them: then a step of the grid is one evaluation.",
      domain: .choice(Stages.allCases.map(\.rawValue)), standard: .choice(Stages.between.rawValue)),
    ParameterDeclaration(
      name: "blocks", summary: "How evaluations are divided into steps of high order; fixed, or with an end of lower ones.",
      domain: .choice(Blocks.allCases.map(\.rawValue)), standard: .choice(Blocks.fixed.rawValue)),
    ParameterDeclaration(
      name: "evaluations",
      summary: "With stages=between and blocks that are not fixed: number of evaluations to divide; 0 takes order × steps.",
      domain: .integer(0...1_000_000), standard: .integer(0)),
  ]

  /// Reads ``parameters``; `order`, `prediction` and noise are the solver's.
  init(_ values: ParameterValues, prediction: PredictionKind, order: Int) {
    self.prediction = prediction
    self.order = order
    variant = SlopeVariant(values)
    // A solver may declare only some of them.
    stages = Stages(rawValue: values.choice("stages") ?? "") ?? .between
    blocks = Blocks(rawValue: values.choice("blocks") ?? "") ?? .fixed
    evaluations = values.integer("evaluations") ?? 0
  }

  func plan(_ schedule: any NoiseSchedule, _ grid: Grid, solver: String) throws -> [PlannedStep] {
    if stages == .grid {
      guard evaluations == 0 else {
        throw TableauError(
          "solver '\(solver)' has evaluations \(evaluations); with stages=grid it makes one in each of \(grid.steps) steps")
      }
      return gridPlan(grid)
    }
    let orders = try blockOrders(grid.steps, solver)
    return try zip(grid.levels, zip(grid.levels.dropFirst(), orders)).flatMap { from, next in
      try block(from, next.0, next.1, schedule)
    }
  }

  /// The method of a run that leaves out the first steps: it takes the end of the list, which is the list of so many evaluations.
  /// - Throws: ``TableauError`` when the list is not one of `steps` blocks.
  func beginning(at step: Int, of steps: Int, solver: String) throws -> DPMSinglestep {
    guard step > 0, evaluations > 0, stages == .between else { return self }
    var rest = self
    rest.evaluations = try blockOrders(steps, solver).dropFirst(step).reduce(0, +)
    return rest
  }

  private func list(_ count: Int) -> [Int] {
    switch blocks {
    case .fixed: SinglestepOrders.fixed(evaluations: count, order: order)
    case .official: SinglestepOrders.official(evaluations: count, order: order)
    case .lowered: SinglestepOrders.loweredAtEnd(evaluations: count, order: order)
    }
  }

  private func blockOrders(_ steps: Int, _ solver: String) throws -> [Int] {
    if evaluations == 0, blocks == .fixed { return Array(repeating: order, count: steps) }
    // Without a number of evaluations: as many as fill the steps, the most there are.
    let range = evaluations > 0 ? [evaluations] : Array((max(1, order * (steps - 1))...order * (steps + 1)).reversed())
    if let found = range.lazy.map({ list($0) }).first(where: { $0.count == steps }) { return found }
    throw TableauError(
      "solver '\(solver)' divides \(evaluations) evaluations into \(list(evaluations).count) steps; the grid has \(steps)")
  }

  /// One step of the grid with stages inside it, evenly in λ.
  /// - Parameter fractions: the stages lie at multiples of this part of the step; its order where `nil`.
  func block(
    _ from: NoiseLevel, _ to: NoiseLevel, _ order: Int, _ schedule: any NoiseSchedule, fractions: Int? = nil
  ) throws -> [PlannedStep] {
    let last = PlannedStep(to: to, decision(stage: order)).ancestral(from: from, eta: eta, noiseScale: noiseScale)
    // A step of infinite length has no place for a stage; it is first order.
    guard order > 1, from.alpha > 0, last.landing.sigma > 0 else {
      return [PlannedStep(to: to, decision(stage: 1)).ancestral(from: from, eta: eta, noiseScale: noiseScale)]
    }
    let h = last.landing.lambda - from.lambda
    return try (1..<order).map { stage in
      let inner = try schedule.level(lambda: from.lambda + h * Double(stage) / Double(fractions ?? order))
      return PlannedStep(to: inner, decision(stage: stage, isInner: true), finishesStep: false)
    } + [last]
  }

  /// Blocks whose stages are the grid's own levels.
  private func gridPlan(_ grid: Grid) -> [PlannedStep] {
    var first = 0
    return list(grid.steps).flatMap { size in
      let steps = (1...size).map { stage -> PlannedStep in
        let to = grid.levels[first + stage]
        // From pure noise and to clean data there is only a first-order step, and it begins where the run has come to.
        let isInfinite = to.sigma == 0 || grid.levels[first].alpha == 0
        // diffusers takes a stage as the end of a shorter block; the authors' code gives it its exact slope.
        let isInner = blocks == .official && stage < size
        var decision = isInfinite ? decision(stage: 1) : decision(stage: stage, isInner: isInner)
        // At levels of the grid every stage is a step of the reverse SDE and draws its own noise, as in diffusers.
        (decision.eta, decision.noiseScale) = (eta, noiseScale)
        return PlannedStep(to: to, decision)
      }
      first += size
      return steps
    }
  }

  /// The step from the block's start through the stages so far.
  private func decision(stage: Int, isInner: Bool = false) -> UnifiedStep {
    switch stage {
    case 1: return UnifiedStep(prediction)
    case 2:
      // Inside a block of three the slope enters with its exact weight.
      let relaxation = isInner ? .none : variant.relaxation
      return UnifiedStep(
        prediction, order: 2, start: 1, derivatives: [DerivativeEstimate(points: [0], relaxation: relaxation)])
    default:
      let derivatives =
        variant == .midpoint
        ? [DerivativeEstimate(points: [0])] : [DerivativeEstimate(points: [1, 0]), DerivativeEstimate(points: [1, 0])]
      return UnifiedStep(prediction, order: derivatives.count + 1, start: 2, derivatives: derivatives)
    }
  }
}
