import Foundation
import QuickstepNN

/// Writes the table of a list of ``PlannedStep``s.
struct UnifiedCompiler {
  private var table: TableauBuilder
  private var visits: [Visit]
  private let schedule: any NoiseSchedule
  private let stored: [Int: Set<PredictedQuantity>]
  private let plan: [PlannedStep]
  private let basis: StatisticsStep?

  /// - Parameter basis: for steps in ``PredictionKind/statistics``.
  /// - Throws: ``TableauError`` naming the step whose decision cannot be carried out.
  static func compile(
    _ plan: [PlannedStep], solver: String, schedule: any NoiseSchedule, grid: Grid, skipsFirstEvaluation: Bool = false,
    basis: StatisticsStep? = nil
  ) throws -> Tableau {
    try PlanCheck.check(plan, solver: solver, hasStatistics: basis != nil)
    var compiler = UnifiedCompiler(plan, solver: solver, schedule: schedule, grid: grid, basis: basis)
    if skipsFirstEvaluation { compiler.visits[0].denoised = LinearForm() }
    for index in plan.indices { try compiler.step(index) }
    return try compiler.table.build()
  }

  private init(_ plan: [PlannedStep], solver: String, schedule: any NoiseSchedule, grid: Grid, basis: StatisticsStep?) {
    self.plan = plan
    self.basis = basis
    self.schedule = schedule
    table = TableauBuilder(solver: solver, grid: grid)
    visits = [Visit(level: grid.levels[0], state: table.initial)]
    stored = Self.storedPredictions(plan)
  }

  private mutating func step(_ index: Int) throws {
    if index > 0, let corrector = plan[index - 1].decision.corrector { try correct(corrector, of: index - 1) }
    if visits[index].denoised == nil { visits[index].denoised = LinearForm(table.evaluate(visits[index].state, at: visits[index].level)) }
    store(index)
    let (step, decision) = (plan[index], plan[index].decision)
    let start = index - decision.start
    let anchor = anchored(decision.anchor, start: start, to: step.landing)
    let state: Register
    if let form = fitted(decision.prediction, start: start, to: step.landing, derivatives: decision.derivatives, newest: index) {
      state = table.combine(form.adding(anchor), to: step.level, finishing: step.finishesStep)
    } else {
      let form = try taylor(
        decision.prediction, start: start, to: step.landing, derivatives: decision.derivatives, newest: index, eta: decision.eta)
      let noise = step.addedNoise > 0 ? step.addedNoise : form.noise * decision.noiseScale
      state = table.combine(form.sum + anchor, noise: noise, to: step.level, finishing: step.finishesStep)
    }
    visits.append(Visit(level: step.level, state: state))
  }

  /// Computes the state of visit `index` + 1 once more, with the prediction that was made there.
  private mutating func correct(_ corrector: Corrector, of index: Int) throws {
    let new = index + 1
    let start = index - corrector.start
    // A step of infinite length has no slope, and the state stays as it was predicted.
    guard visits[start].level.alpha > 0 || plan[index].decision.prediction == .velocity else { return }
    visits[new].denoised = LinearForm(table.evaluate(visits[new].state, at: visits[new].level))
    let (decision, level) = (plan[index].decision, visits[new].level)
    // The correction rebuilds the state from the first-order term, which an anchor is part of.
    let anchor = anchored(decision.anchor, start: start, to: level)
    if let form = fitted(decision.prediction, start: start, to: level, derivatives: corrector.derivatives, newest: index) {
      visits[new].continued = table.combine(form.adding(anchor), to: level, finishing: false)
    } else {
      let form = try taylor(
        decision.prediction, start: start, to: level, derivatives: corrector.derivatives, newest: index, eta: decision.eta)
      visits[new].continued = table.combine(form.sum + anchor, to: level, finishing: false)
    }
    if corrector.kind == .implicit {
      visits[new].state = visits[new].continued
      visits[new].denoised = nil
    }
  }

  /// The Taylor step in the basis of a model's statistics; `nil` for other predictions, and where λ is infinite at an end of the step.
  private func fitted(
    _ kind: PredictionKind, start index: Int, to level: NoiseLevel, derivatives: [DerivativeEstimate], newest: Int
  ) -> ElementForm? {
    let start = visits[index]
    let h = level.lambda - start.level.lambda
    guard kind == .statistics, let basis, h.isFinite else { return nil }
    let estimates = derivatives.map { estimate in
      StatisticsStep.Estimate(
        points: estimate.points.map { visits[newest - $0].point }.filter { $0.level.lambda.isFinite },
        factor: estimate.factor * estimate.relaxation.factor(h: h, z: h))
    }
    return basis.form(from: start.point, to: level, estimates)
  }

  /// The Taylor step: the exact step for a fixed prediction, and one term for each estimated derivative.
  private func taylor(
    _ kind: PredictionKind, start index: Int, to level: NoiseLevel, derivatives: [DerivativeEstimate], newest: Int, eta: Double
  ) throws -> (sum: LinearForm, noise: Double) {
    let start = visits[index]
    guard let step = try ExponentialStep(kind, from: start.level, to: level, schedule: schedule, eta: eta) else {
      return firstOrder(start, to: level, eta: eta)
    }
    var sum = LinearForm()
    // With a register of its own a prediction stands for its x̂0 too, which then need not be held any longer.
    let isStored = step.parts.allSatisfy { start.stored[$0.quantity] != nil }
    if eta == 0, !start.isCorrected, !isStored {
      // All kinds agree here; written on x̂0 the table has the bits of the first-order solvers.
      sum = firstOrder(start, to: level, eta: 0).sum
    } else {
      sum = step.state * LinearForm(start.continued)
      for part in step.parts { sum += try step.weight(0, part) * start.value(part.quantity) }
    }
    for part in step.parts {
      for (order, estimate) in zip(1..., derivatives) {
        let weight = try step.weight(order, part) * estimate.factor * estimate.relaxation.factor(h: step.h, z: part.z)
        sum += try weight * derivative(order, estimate, kind, part.quantity, start: index, newest: newest)
      }
    }
    return (sum, step.noise)
  }

  /// An estimated derivative at the start. Points at pure noise are infinitely far away and count for nothing.
  private func derivative(
    _ order: Int, _ estimate: DerivativeEstimate, _ kind: PredictionKind, _ quantity: PredictedQuantity, start: Int, newest: Int
  ) throws -> LinearForm {
    let origin = try kind.coordinate(visits[start].level, schedule)
    let points = try estimate.points.map { visits[newest - $0] }
      .map { (visit: $0, offset: try kind.coordinate($0.level, schedule) - origin) }
      .filter { $0.offset.isFinite }
    var sum = LinearForm()
    guard points.count >= order else { return sum }
    let base = visits[start].value(quantity)
    for (weight, point) in zip(derivativeStencil(order, offsets: points.map(\.offset)), points) {
      sum += weight * (point.visit.value(quantity) - base)
    }
    return sum
  }

  /// The step that holds the prediction fixed; the only one there is from pure noise and to clean data.
  private func firstOrder(_ start: Visit, to level: NoiseLevel, eta: Double) -> (sum: LinearForm, noise: Double) {
    let step = FirstOrderStep(from: start.level, to: level, eta: eta == 0 ? 0 : 1)
    let sum = step.state * LinearForm(start.continued) + step.denoised * (start.denoised ?? LinearForm())
    return (sum, step.noise)
  }

  /// What an anchor adds to a step from visit `index`: −(α'σ/α − σ')·c·(ε̂ − ε̂_τ), whichever prediction the step is written in.
  private func anchored(_ anchor: Anchor?, start index: Int, to level: NoiseLevel) -> LinearForm {
    guard let anchor, anchor.strength != 0 else { return LinearForm() }
    let start = visits[index]
    let point = anchor.point == .first ? 0 : index - 1
    guard start.level.alpha > 0, point >= 0, point < index else { return LinearForm() }
    let weight = -(level.alpha * start.level.sigma / start.level.alpha - level.sigma) * anchor.strength
    return weight * (start.value(.epsilon) - visits[point].value(.epsilon))
  }

  /// Gives predictions a register of their own that later steps need: one register then stands for a state and an x̂0.
  private mutating func store(_ index: Int) {
    for quantity in PredictedQuantity.allCases where stored[index]?.contains(quantity) == true {
      let register = table.combine(visits[index].value(quantity), to: visits[index].level, finishing: false)
      visits[index].stored[quantity] = register
    }
  }

  /// The predictions besides x̂0 that are read when the state they belong to is no longer held for its own sake.
  private static func storedPredictions(_ plan: [PlannedStep]) -> [Int: Set<PredictedQuantity>] {
    var stored: [Int: Set<PredictedQuantity>] = [:]
    for (index, step) in plan.enumerated() {
      let decision = step.decision
      let corrected = index > 0 && plan[index - 1].decision.corrector?.kind == .pseudo
      for quantity in decision.prediction.quantities where quantity != .denoised {
        let corrector = decision.corrector?.derivatives.flatMap(\.points) ?? []
        for point in decision.derivatives.flatMap(\.points).filter({ $0 > 0 }) + corrector.filter({ $0 > 0 }) {
          stored[index - point, default: []].insert(quantity)
        }
        if corrected { stored[index, default: []].insert(quantity) }
      }
      if let anchor = decision.anchor, anchor.strength != 0 {
        let point = anchor.point == .first ? 0 : index - decision.start - 1
        if point >= 0 { stored[point, default: []].insert(.epsilon) }
      }
    }
    return stored
  }
}
