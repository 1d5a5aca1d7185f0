public import QuickstepNN

/// DPM-Solver++ 2M: second-order multistep in λ = log(α/σ) on the data prediction; one evaluation per step.
///
/// x' = (σ'/σ)·x − α'φ·m0 − ½α'φ·D with φ = e^{−h} − 1, D = (h/h0)·(m0 − m1) (midpoint), or + α'(φ/h + 1)·D in place of the last term
/// (Lu et al. 2022, algorithm 2). The first step is first order, as are the last ones where asked for or needed.
public struct DPMSolverPP2M: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dpm++-2m", family: .solver, summary: "Second-order multistep in log-SNR on the data prediction.", points: [.step],
    reads: ["state", "denoised", "previous denoised"], changes: ["state"], needs: ["2 steps to differ from first order"],
    state: "one earlier prediction", parameters: [SlopeVariant.parameter] + MultistepOrders.parameters, exactness: .approximate,
    reference: "arXiv 2211.01095, algorithm 2")

  /// Names of diffusers, k-diffusion, ComfyUI and A1111.
  public static let aliases = [
    SolverAlias("DPMSolverMultistepScheduler", tool: "diffusers"),
    SolverAlias("EDMDPMSolverMultistepScheduler", tool: "diffusers", spacing: "karras"),
    SolverAlias("sample_dpmpp_2m", tool: "k-diffusion"),
    SolverAlias("dpmpp_2m", tool: "ComfyUI"),
    SolverAlias("DPM++ 2M Karras", tool: "A1111", spacing: "karras"),
  ]

  let method: DPMMultistep

  /// Reads `variant`, `lower-order-final`, `lower-order-below` and `euler-at-final`.
  public init(_ values: ParameterValues) throws {
    method = DPMMultistep(order: 2, variant: SlopeVariant(values), orders: MultistepOrders(values))
  }

  /// 2.
  public var order: Int { 2 }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] { method.fallbacks(Self.name, steps: steps) }

  /// One evaluation per step; reads the prediction of the step before.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] { method.plan(grid) }
}
