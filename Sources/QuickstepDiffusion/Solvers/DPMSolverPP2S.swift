public import QuickstepNN

/// DPM-Solver++ 2S: second-order singlestep on the data prediction; two evaluations per step, the second at the middle of the step in λ.
///
/// u = (σ_1/σ)·x − α_1(e^{−h/2} − 1)·m, x' = (σ'/σ)·x − α'(e^{−h} − 1)·m − α'(e^{−h} − 1)·(m_1 − m) (Lu et al. 2022, arXiv 2211.01095,
/// algorithm 1). With η the step ends below the target, and noise is added up to it (k-diffusion's ancestral form); with stages at the
/// grid's levels every stage is a step of the reverse SDE instead (diffusers' `sde-dpmsolver++`).
public struct DPMSolverPP2S: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dpm++-2s", family: .solver, summary: "Second-order singlestep in log-SNR on the data prediction.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    parameters: DPMSinglestep.parameters + [
      ParameterDeclaration(
        name: "eta", summary: "Share of fresh noise: 0 is the ODE, 1 is fully ancestral.", domain: .number(0...1), standard: .number(0),
        neutral: .number(0)),
      NoiseParameter.scale,
    ], exactness: .approximate, reference: "arXiv 2211.01095, algorithm 1; k-diffusion, sample_dpmpp_2s_ancestral")

  /// Names of diffusers, k-diffusion, ComfyUI and A1111.
  public static let aliases = [
    SolverAlias("sample_dpmpp_2s_ancestral", tool: "k-diffusion", parameters: ["eta": "1"]),
    SolverAlias("dpmpp_2s_ancestral", tool: "ComfyUI", parameters: ["eta": "1"]),
    SolverAlias("DPM++ 2S a", tool: "A1111", parameters: ["eta": "1"]),
    SolverAlias("DPM++ 2S a Karras", tool: "A1111", parameters: ["eta": "1"], spacing: "karras"),
    SolverAlias(
      "DPMSolverSinglestepScheduler", tool: "diffusers", parameters: ["stages": "grid", "blocks": "lowered"]),
  ]

  private(set) var method: DPMSinglestep

  /// Reads `variant`, `stages`, `blocks`, `evaluations`, `eta` and `s-noise`.
  public init(_ values: ParameterValues) throws {
    var method = DPMSinglestep(values, prediction: .denoised, order: 2)
    (method.eta, method.noiseScale) = (values.number("eta"), values.number("s-noise"))
    self.method = method
  }

  /// 2, without noise.
  public var order: Int { 2 }

  /// With the end of the list of blocks, where there is one.
  public func beginning(at step: Int, of steps: Int) throws -> any Solver {
    var rest = self
    rest.method = try method.beginning(at: step, of: steps, solver: Self.name)
    return rest
  }

  /// Two evaluations per step, or one in a step from pure noise or to σ = 0.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    try method.plan(schedule, grid, solver: Self.name)
  }
}
