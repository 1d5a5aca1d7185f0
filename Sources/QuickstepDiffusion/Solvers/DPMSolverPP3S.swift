public import QuickstepNN

/// DPM-Solver++ 3S: third-order singlestep on the data prediction; three evaluations per step, at thirds of the step in λ.
///
/// The formulas of DPM-Solver-3 (Lu et al. 2022, arXiv 2206.00927, algorithm 2) with the data prediction, as in the authors' code.
public struct DPMSolverPP3S: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dpm++-3s", family: .solver, summary: "Third-order singlestep in log-SNR on the data prediction.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    parameters: DPMSinglestep.parameters + [NoiseParameter.eta(standard: 0), NoiseParameter.scale], exactness: .approximate,
    reference: "arXiv 2206.00927, algorithm 2; arXiv 2211.01095; LuChengTHU/dpm-solver")

  private(set) var method: DPMSinglestep

  /// Reads `variant`, `stages`, `blocks`, `evaluations`, `eta` and `s-noise`.
  /// - Throws: ``TableauError`` for noise without stages at the grid's levels.
  public init(_ values: ParameterValues) throws {
    var method = DPMSinglestep(values, prediction: .denoised, order: 3)
    (method.eta, method.noiseScale) = (values.number("eta"), values.number("s-noise"))
    guard method.eta == 0 || method.stages == .grid else {
      throw TableauError("dpm++-3s has eta \(method.eta) and stages=between; its noise needs stages=grid")
    }
    self.method = method
  }

  /// 3.
  public var order: Int { 3 }

  /// With the end of the list of blocks, where there is one.
  public func beginning(at step: Int, of steps: Int) throws -> any Solver {
    var rest = self
    rest.method = try method.beginning(at: step, of: steps, solver: Self.name)
    return rest
  }

  /// Three evaluations per step, or one in a step from pure noise or to σ = 0.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    try method.plan(schedule, grid, solver: Self.name)
  }
}
