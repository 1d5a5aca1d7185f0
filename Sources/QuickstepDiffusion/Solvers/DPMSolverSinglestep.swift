public import QuickstepNN

/// DPM-Solver-1, -2 and -3: singlestep of orders 1 to 3 on the noise prediction, with as many evaluations per step as its order.
///
/// Order 2, r = ½: u = (α_1/α)·x − σ_1(e^{h/2} − 1)·ε, x' = (α'/α)·x − σ'(e^h − 1)·ε_1. Order 3: Lu et al. 2022, arXiv 2206.00927, algorithms 1
/// and 2. With `blocks=official` a run of order 3 is "DPM-Solver-fast".
public struct DPMSolverSinglestep: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dpm-singlestep", family: .solver, summary: "Singlestep in log-SNR on the noise prediction.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    parameters: [
      ParameterDeclaration(name: "order", summary: "1, 2 or 3; 1 is DDIM.", domain: .integer(1...3), standard: .integer(3))
    ] + DPMSinglestep.parameters, exactness: .approximate, reference: "arXiv 2206.00927, algorithms 1 and 2")

  /// Names of k-diffusion and A1111, where the grid is even in λ down to the least trained noise, and the number of steps is that of evaluations.
  public static let aliases = [("sample_dpm_fast", "k-diffusion"), ("DPM fast", "A1111")].map { name, tool in
    SolverAlias(
      name, tool: tool, parameters: ["blocks": "official"], spacing: "log-snr", spacingParameters: ["final": "smallest"], dividedOrder: 3)
  }

  private(set) var method: DPMSinglestep

  /// Reads `order`, `variant`, `stages`, `blocks` and `evaluations`.
  public init(_ values: ParameterValues) throws {
    method = DPMSinglestep(values, prediction: .epsilon, order: values.integer("order") ?? 3)
  }

  /// As asked for.
  public var order: Int { method.order }

  /// With the end of the list of blocks, where there is one.
  public func beginning(at step: Int, of steps: Int) throws -> any Solver {
    var rest = self
    rest.method = try method.beginning(at: step, of: steps, solver: Self.name)
    return rest
  }

  /// As many evaluations per step as the order, or one in a step from pure noise or to σ = 0.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    try method.plan(schedule, grid, solver: Self.name)
  }
}
