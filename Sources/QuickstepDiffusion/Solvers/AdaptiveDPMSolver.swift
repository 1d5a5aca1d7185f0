import Foundation
public import QuickstepNN

/// DPM-Solver-12 and -23 with steps chosen while running: a lower and a higher order share their evaluations, and their difference says
/// whether a step is taken and how long the next one is (Lu et al. 2022, arXiv 2206.00927, appendix C).
///
/// This is the one solver whose coefficients cannot be written down beforehand, since they depend on the states. It goes from the grid's first
/// level to its last and chooses the levels between; each of its steps is a table (see ``AdaptiveRun``). Compiled on a grid it is the
/// method of higher order with the grid's steps.
public struct AdaptiveDPMSolver: AdaptiveSolver, PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dpm-adaptive", family: .solver, summary: "DPM-Solver-12 or -23 that chooses its steps while running.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    needs: ["a grid for its ends alone", "no change of states between steps"], state: "both results of a step",
    parameters: [
      ParameterDeclaration(
        name: "order", summary: "The higher order: 2 is DPM-Solver-12, 3 is DPM-Solver-23.", domain: .integer(2...3),
        standard: .integer(3)),
      ParameterDeclaration(
        name: "prediction", summary: "Which prediction is a polynomial.", domain: .choice(["epsilon", "denoised"]),
        standard: .choice("epsilon")),
      SlopeVariant.parameter,
      ParameterDeclaration(name: "atol", summary: "Absolute tolerance.", domain: .number(1e-12...10), standard: .number(0.0078)),
      ParameterDeclaration(name: "rtol", summary: "Relative tolerance.", domain: .number(0...10), standard: .number(0.05)),
      ParameterDeclaration(name: "h-init", summary: "Length of the first step in λ.", domain: .number(1e-6...10), standard: .number(0.05)),
      ParameterDeclaration(
        name: "safety", summary: "θ: the part of the step that the error would allow.", domain: .number(0.1...1), standard: .number(0.9)),
      ParameterDeclaration(
        name: "max-evaluations", summary: "A run that needs more is given up with an error.", domain: .integer(2...1_000_000),
        standard: .integer(1000)),
    ], exactness: .approximate, reference: "arXiv 2206.00927, appendix C; LuChengTHU/dpm-solver")

  /// Names of k-diffusion and A1111, whose controller has other constants.
  public static let aliases = [
    SolverAlias("sample_dpm_adaptive", tool: "k-diffusion"), SolverAlias("DPM adaptive", tool: "A1111"),
  ]

  /// What decides whether a step is taken.
  struct Control {
    let atol, rtol, hInit, safety: Double
  }

  let method: DPMSinglestep
  let control: Control
  /// A run that needs more is given up.
  public let evaluationLimit: Int

  /// Reads `order`, `prediction`, `variant`, `atol`, `rtol`, `h-init`, `safety` and `max-evaluations`.
  public init(_ values: ParameterValues) throws {
    method = DPMSinglestep(
      values, prediction: values.choice("prediction") == "denoised" ? .denoised : .epsilon, order: values.integer("order") ?? 3)
    control = Control(
      atol: values.number("atol"), rtol: values.number("rtol"), hInit: values.number("h-init"), safety: values.number("safety"))
    evaluationLimit = values.integer("max-evaluations") ?? 1000
  }

  /// The higher one.
  public var order: Int { method.order }

  /// The method of higher order with the grid's steps.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    try method.plan(schedule, grid, solver: Self.name)
  }

  /// The tables of one step: both begin with the same evaluations, and the lower one makes fewer.
  public func tables(from: NoiseLevel, to: NoiseLevel, schedule: any NoiseSchedule) throws -> (lower: Tableau, higher: Tableau) {
    let grid = try Grid(levels: [from, to], spacing: "adaptive")
    let higher = try method.block(from, to, method.order, schedule)
    // DPM-Solver-23 takes its second-order result from the stage at a third of the step, which the third-order one needs anyway.
    let lower = try method.block(from, to, method.order - 1, schedule, fractions: method.order)
    return (
      try UnifiedCompiler.compile(lower, solver: Self.name, schedule: schedule, grid: grid),
      try UnifiedCompiler.compile(higher, solver: Self.name, schedule: schedule, grid: grid)
    )
  }

  /// θ·h·E^{−1/p}.
  public func nextStep(after h: Double, error: Double) -> Double {
    error == 0 ? .infinity : control.safety * h * pow(error, -1 / Double(order))
  }

  /// Length of the first step in λ.
  public var firstStep: Double { control.hInit }

  /// Absolute and relative tolerance.
  public var tolerance: (absolute: Double, relative: Double) { (control.atol, control.rtol) }
}
