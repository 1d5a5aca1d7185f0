public import QuickstepNN

/// SDE-DPM-Solver++ of orders 1 to 3: exponential multistep for the reverse SDE on the data prediction; one evaluation per step.
///
/// With E = 1 − e^{−2h}: x' = (σ'/σ)·e^{−h}·x + α'E·m0 + σ'√E·z at order 1, which is DDIM with η = 1; + ½α'E·D (midpoint) or
/// + α'(1 − E/2h)·D (Taylor) at order 2 (Lu et al. 2022, arXiv 2211.01095, section 5 and appendix A.4); + α'((E − 2h)/(2h)² + ½)·D2 at
/// order 3, derived in the same way. With η the SDE is replaced by the one of the same marginals and noise η times as strong, as in
/// k-diffusion.
public struct SDEDPMSolverPP: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "sde-dpm++", family: .solver, summary: "Multistep in log-SNR on the data prediction for the reverse SDE.", points: [.step],
    reads: ["state", "denoised", "previous denoised"], changes: ["state"], needs: ["as many steps as its order"],
    state: "as many earlier predictions as its order, less one",
    parameters: [
      ParameterDeclaration(name: "order", summary: "1, 2 or 3; 1 is DDIM with η = 1.", domain: .integer(1...3), standard: .integer(2)),
      NoiseParameter.eta(standard: 1), NoiseParameter.scale, SlopeVariant.parameter, ThirdTerm.parameter,
    ] + MultistepOrders.parameters, exactness: .approximate, reference: "arXiv 2211.01095, section 5; k-diffusion, sample_dpmpp_2m_sde")

  /// Names of k-diffusion, ComfyUI and A1111.
  public static let aliases = [
    SolverAlias("sample_dpmpp_2m_sde", tool: "k-diffusion", parameters: kDiffusion),
    SolverAlias("sample_dpmpp_3m_sde", tool: "k-diffusion", parameters: third),
    SolverAlias("dpmpp_2m_sde", tool: "ComfyUI", parameters: kDiffusion),
    SolverAlias("dpmpp_3m_sde", tool: "ComfyUI", parameters: third),
    // The same, with noise drawn on the GPU.
    SolverAlias("dpmpp_2m_sde_gpu", tool: "ComfyUI", parameters: kDiffusion),
    SolverAlias("dpmpp_3m_sde_gpu", tool: "ComfyUI", parameters: third),
    SolverAlias("DPM++ 2M SDE", tool: "A1111", parameters: kDiffusion),
    SolverAlias("DPM++ 2M SDE Karras", tool: "A1111", parameters: kDiffusion, spacing: "karras"),
    SolverAlias("DPM++ 2M SDE Heun", tool: "A1111", parameters: kDiffusion.merging(["variant": "taylor"]) { $1 }),
    SolverAlias("DPM++ 3M SDE", tool: "A1111", parameters: third),
    SolverAlias("DPM++ 3M SDE Karras", tool: "A1111", parameters: third, spacing: "karras"),
  ]
  // There orders do not fall at the end, and the second-order step of the third-order method is a Taylor step.
  private static let kDiffusion = ["lower-order-final": "false"]
  private static let third = ["lower-order-final": "false", "order": "3", "variant": "taylor"]

  let method: DPMMultistep

  /// Reads `order`, `eta`, `s-noise`, `variant`, `third-term` and the rules of the last steps.
  public init(_ values: ParameterValues) throws {
    method = DPMMultistep(
      order: values.integer("order") ?? 2, variant: SlopeVariant(values), third: ThirdTerm(values), eta: values.number("eta"),
      noiseScale: values.number("s-noise"), orders: MultistepOrders(values))
  }

  /// That of the method without noise.
  public var order: Int { method.convergence }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] { method.fallbacks(Self.name, steps: steps) }

  /// One evaluation per step, and a draw of noise in every step that does not end at σ = 0.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] { method.plan(grid) }
}
