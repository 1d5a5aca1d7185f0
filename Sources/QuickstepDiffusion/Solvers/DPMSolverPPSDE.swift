public import QuickstepNN

/// DPM-Solver++ SDE (k-diffusion's `sample_dpmpp_sde`): singlestep of order 2 whose stage and end both are ancestral; two evaluations and two
/// draws of noise per step.
///
/// From s to t with the stage at λ_s + r·h: u = (σ_d/σ_s)·x + (α_u − α_s·σ_d/σ_s)·m + σ_up·z, the ancestral first-order step to the stage; then
/// the same step from s to t with (1 − 1/2r)·m + (1/2r)·m_u in the place of m. k-diffusion draws both noises from one Brownian path; here
/// they are independent, as they are for the program's own `noise_sampler` without a tree.
public struct DPMSolverPPSDE: Solver {
  public static let declaration = MethodDeclaration(
    name: "dpm++-sde", family: .solver, summary: "Second-order singlestep in log-SNR with ancestral noise in stage and end.",
    points: [.step], reads: ["state", "denoised"], changes: ["state"],
    parameters: AncestralNoise.parameters + [
      ParameterDeclaration(
        name: "r", summary: "Where the stage lies, as a part of the step in λ.", domain: .number(0.05...1), standard: .number(0.5))
    ], exactness: .approximate, reference: "k-diffusion, sample_dpmpp_sde; arXiv 2211.01095, algorithm 1")

  /// Names of diffusers, k-diffusion, ComfyUI and A1111.
  public static let aliases = [
    SolverAlias("DPMSolverSDEScheduler", tool: "diffusers"),
    SolverAlias("sample_dpmpp_sde", tool: "k-diffusion"),
    SolverAlias("dpmpp_sde", tool: "ComfyUI"),
    // The same, with noise drawn on the GPU.
    SolverAlias("dpmpp_sde_gpu", tool: "ComfyUI"),
    SolverAlias("DPM++ SDE", tool: "A1111"),
    SolverAlias("DPM++ SDE Karras", tool: "A1111", spacing: "karras"),
  ]

  let noise: AncestralNoise
  let stage: Double

  /// Reads `eta`, `s-noise` and `r`.
  public init(_ values: ParameterValues) throws {
    noise = AncestralNoise(values)
    stage = values.number("r")
  }

  /// 2, without noise.
  public var order: Int { 2 }

  /// Two evaluations per step, or one in a step from pure noise or to σ = 0.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (from, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let m = table.evaluate(x, at: from)
      let whole = FirstOrderStep(from: from, to: to, eta: noise.eta)
      guard from.alpha > 0, to.sigma > 0 else {
        x = table.combine([(x, whole.state), (m, whole.denoised)], noise: whole.noise * noise.scale, to: to)
        continue
      }
      let middle = try schedule.level(lambda: from.lambda + stage * (to.lambda - from.lambda))
      let part = FirstOrderStep(from: from, to: middle, eta: noise.eta)
      let inner = table.combine(
        [(x, part.state), (m, part.denoised)], noise: part.noise * noise.scale, to: middle, finishing: false)
      let second = table.evaluate(inner, at: middle)
      let share = 1 / (2 * stage)
      x = table.combine(
        [(x, whole.state), (m, (1 - share) * whole.denoised), (second, share * whole.denoised)], noise: whole.noise * noise.scale, to: to)
    }
    return try table.build()
  }
}
