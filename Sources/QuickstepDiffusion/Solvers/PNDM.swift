public import QuickstepNN

/// PNDM (Liu et al. 2022): high-order formulas average ε, and the DDIM transfer, which is exact for the true ε, takes the step with it.
///
/// x' = φ(x, ē): φ is DDIM's map, ē a mean of ε by Adams–Bashforth weights over the history, whose first entries are made by pseudo
/// Runge–Kutta steps (F-PNDM) or by one pseudo improved Euler step (S-PNDM, PLMS). On flow models the same is done with the velocity, since
/// the transfer along it is exact there, and ε says nothing about pure noise.
public struct PNDM: Solver {
  public static let declaration = MethodDeclaration(
    name: "pndm", family: .solver, summary: "DDIM steps along an average of ε; pseudo Runge–Kutta start, then linear multistep.",
    points: [.step], reads: ["state", "denoised", "previous slopes"], changes: ["state"],
    needs: ["evenly spaced levels for its order with even weights", "5 steps to use all of it"], state: "order − 1 earlier slopes",
    parameters: [
      ParameterDeclaration(
        name: "order", summary: "Greatest number of slopes in the multistep part; 1 is DDIM.", domain: .integer(1...4),
        standard: .integer(4), neutral: .integer(1)),
      ParameterDeclaration(
        name: "start", summary: "How the history begins: F-PNDM's, S-PNDM's and PLMS's, or by lower orders (iPNDM).",
        domain: .choice(["runge-kutta", "improved-euler", "none"]), standard: .choice("runge-kutta")),
      ParameterDeclaration(
        name: "weights", summary: "Constants for even spacing (published), or those of the actual spacing.",
        domain: .choice(["even", "variable"]), standard: .choice("even")),
      ParameterDeclaration(
        name: "averages", summary: "What is averaged; auto is epsilon, and velocity on flow models. v is what diffusers does for v models.",
        domain: .choice(["auto", "epsilon", "velocity", "v"]), standard: .choice("auto")),
      ParameterDeclaration(
        name: "half-steps", summary: "Half of an odd gap between whole timesteps: as it is, or cut as diffusers cuts it.",
        domain: .choice(["exact", "cut"]), standard: .choice("exact")),
      ParameterDeclaration(
        name: "euler-at-final", summary: "Take the last step at first order (ComfyUI's ipndm).", domain: .flag, standard: .flag(false)),
    ], exactness: .approximate, reference: "arXiv 2202.09778, algorithm 2, equations 9, 12 and 13")

  /// Names of the paper, diffusers, latent-diffusion, A1111 and ComfyUI. What diffusers does depends on its `skip_prk_steps`.
  public static let aliases = [
    SolverAlias("F-PNDM", tool: "paper"),
    SolverAlias("S-PNDM", tool: "paper", parameters: ["order": "2", "start": "improved-euler"]),
    SolverAlias("PNDMScheduler", tool: "diffusers"),
    SolverAlias("PLMS", tool: "A1111", parameters: ["start": "improved-euler"]),
    SolverAlias("ipndm", tool: "ComfyUI", parameters: ["start": "none", "euler-at-final": "true"]),
    // Its weights above the second order have a parenthesis amiss and are only those of the spacing where that is even; these are right.
    SolverAlias("ipndm_v", tool: "ComfyUI", parameters: ["start": "none", "weights": "variable", "euler-at-final": "true"]),
  ]

  enum Start: String { case rungeKutta = "runge-kutta", improvedEuler = "improved-euler", none }
  let largestOrder: Int
  let start: Start
  let isVariable: Bool
  let averaged: PathSlope?
  let cutsHalfSteps: Bool
  let eulerAtFinal: Bool

  /// Reads the parameters.
  /// - Throws: `ParameterError` for weights of the actual spacing on v, which has no coordinate of its own.
  public init(_ values: ParameterValues) throws {
    largestOrder = values.integer("order") ?? 4
    start = Start(rawValue: values.choice("start") ?? "") ?? .rungeKutta
    isVariable = values.choice("weights") == "variable"
    averaged = PathSlope(rawValue: values.choice("averages") ?? "")
    cutsHalfSteps = values.choice("half-steps") == "cut"
    eulerAtFinal = values.flag("euler-at-final")
    if isVariable, averaged == .v {
      throw ParameterError("parameter 'weights' is 'variable' with averages=v; allowed: even, or another choice of 'averages'")
    }
  }

  /// 2 with even weights, whatever the formula's own order: even spacing of the levels is not even spacing of τ = σ/α. With weights of the
  /// actual spacing and a Runge–Kutta start the order of the multistep part. 1 for averages of v.
  public var order: Int {
    if averaged == .v { return 1 }
    return isVariable && start == .rungeKutta ? largestOrder : min(largestOrder, 2)
  }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] {
    steps < largestOrder ? ["pndm of order \(largestOrder) does not reach its multistep formula in \(steps) steps"] : []
  }

  /// n evaluations for n steps, 9 more with the Runge–Kutta start of order 4, 1 more with improved Euler. A step to σ = 0 cannot look at
  /// its end and is a multistep one; a step from where ε says nothing is first order.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var run = PNDMRun(solver: self, slope: averaged ?? PathSlope(schedule.frame), schedule: schedule, grid: grid)
    for (index, (from, to)) in zip(grid.levels, grid.levels.dropFirst()).enumerated() {
      try run.step(from, to, isLast: index == grid.steps - 1)
    }
    return try run.table.build()
  }
}

/// The writing of one table.
private struct PNDMRun {
  let solver: PNDM
  let slope: PathSlope
  let schedule: any NoiseSchedule
  var table: TableauBuilder
  var x: Register
  /// Slopes and their coordinates, newest first.
  var history: [(slope: Register, coordinate: Double)] = []

  init(solver: PNDM, slope: PathSlope, schedule: any NoiseSchedule, grid: Grid) {
    (self.solver, self.slope, self.schedule) = (solver, slope, schedule)
    table = TableauBuilder(solver: PNDM.name, grid: grid)
    x = table.initial
  }

  private var frame: Frame { slope == .velocity ? .flow : .sigma }

  mutating func step(_ from: NoiseLevel, _ to: NoiseLevel, isLast: Bool) throws {
    let m = table.evaluate(x, at: from)
    guard solver.largestOrder > 1, slope.determinesStep(from: from), !(isLast && solver.eulerAtFinal) else {
      let first = FirstOrderStep(from: from, to: to)
      x = table.combine([(x, first.state), (m, first.denoised)], to: to)
      return
    }
    let newest = table.combine(slope.form(LinearForm(x), m, at: from), to: from, finishing: false)
    history.insert((newest, frame.coordinate(from)), at: 0)
    history = Array(history.prefix(solver.largestOrder))
    if solver.start == .rungeKutta, history.count < solver.largestOrder, to.sigma > 0, !isLast {
      try rungeKutta(newest, from, to)
    } else if solver.start == .improvedEuler, history.count == 1, to.sigma > 0, !isLast {
      improvedEuler(newest, from, to)
    } else {
      let weights =
        solver.isVariable
        ? AdamsBashforth.weights(points: history.map(\.coordinate), to: frame.coordinate(to)) : AdamsBashforth.even(order: history.count)
      finish(zip(weights, history).reduce(LinearForm()) { $0 + $1.0 * LinearForm($1.1.slope) }, from, to)
    }
  }

  private mutating func finish(_ mean: LinearForm, _ from: NoiseLevel, _ to: NoiseLevel) {
    x = table.combine(slope.transfer(LinearForm(x), along: mean, from: from, to: to), to: to)
  }

  /// A look at the slope where `along` leads to, told as `told`.
  private mutating func look(_ along: Register, _ from: NoiseLevel, _ to: NoiseLevel, told: NoiseLevel) -> LinearForm {
    let predicted = table.combine(
      slope.transfer(LinearForm(x), along: LinearForm(along), from: from, to: to), to: to, finishing: false)
    return slope.form(LinearForm(predicted), table.evaluate(predicted, at: told), at: told)
  }

  private mutating func improvedEuler(_ first: Register, _ from: NoiseLevel, _ to: NoiseLevel) {
    let second = look(first, from, to, told: to)
    finish(0.5 * LinearForm(first) + 0.5 * second, from, to)
  }

  private mutating func rungeKutta(_ first: Register, _ from: NoiseLevel, _ to: NoiseLevel) throws {
    let (middle, told) = try middle(from, to)
    let second = table.combine(look(first, from, middle, told: told), to: told, finishing: false)
    let third = table.combine(look(second, from, told, told: told), to: told, finishing: false)
    let fourth = look(third, from, to, told: to)
    let inner = LinearForm(first) + 2 * LinearForm(second) + 2 * LinearForm(third)
    finish(1.0 / 6 * (inner + fourth), from, to)
  }

  /// Half way, and what the network is told there: in time where there are trained timesteps and even weights, else in τ. Half steps that
  /// are cut leave the first look's state one timestep noisier than the network is told, where the gap is odd.
  private func middle(_ from: NoiseLevel, _ to: NoiseLevel) throws -> (NoiseLevel, NoiseLevel) {
    guard !solver.isVariable, schedule.trainSteps != nil else {
      let level = try schedule.level(coordinate: (frame.coordinate(from) + frame.coordinate(to)) / 2, in: frame)
      return (level, level)
    }
    let half = (from.timestep - to.timestep) / 2
    guard solver.cutsHalfSteps, half >= 1 else {
      let level = try schedule.level(at: from.timestep - half)
      return (level, level)
    }
    return (try schedule.level(at: from.timestep - half.rounded(.down)), try schedule.level(at: to.timestep + half.rounded(.down)))
  }
}
