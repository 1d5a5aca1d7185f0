public import QuickstepNN

/// Ancestral DPM2 (k-diffusion): a midpoint step to a level below the target, then fresh noise up to it.
///
/// σ_up and σ_down are those of ``EulerAncestral``, and the middle is √(σ·σ_down) in the sigma frame.
public struct DPM2Ancestral: Solver {
  public static let declaration = MethodDeclaration(
    name: "dpm2-ancestral", family: .solver, summary: "Midpoint steps below the target level, then fresh noise up to it.",
    points: [.step], reads: ["state", "denoised"], changes: ["state"],
    parameters: AncestralNoise.parameters, exactness: .approximate, reference: "k-diffusion, sample_dpm_2_ancestral")

  /// Names of diffusers, k-diffusion, A1111 and ComfyUI.
  public static let aliases = [
    SolverAlias("KDPM2AncestralDiscreteScheduler", tool: "diffusers"),
    SolverAlias("sample_dpm_2_ancestral", tool: "k-diffusion"),
    SolverAlias("DPM2 a", tool: "A1111"),
    SolverAlias("dpm_2_ancestral", tool: "ComfyUI"),
  ]

  let noise: AncestralNoise

  /// Reads `eta` and `s-noise`.
  public init(_ values: ParameterValues) throws { noise = AncestralNoise(values) }

  /// 2, without noise.
  public var order: Int { 2 }

  /// Two evaluations per step, one in a step to σ = 0 and in one from pure noise; a draw of noise in every step that does not end at σ = 0.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (from, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let up = noise.eta == 0 ? 0 : min(noise.eta * FirstOrderStep.renewable(from: from, to: to), to.sigma)
      var below = to
      below.sigma = up == 0 ? to.sigma : ((to.sigma - up) * (to.sigma + up)).squareRoot()
      let step = try MidpointStep(.sigma, from: from, to: below, schedule: schedule)
      x = table.combine(step(x, in: &table), noise: up * noise.scale, to: to)
    }
    return try table.build()
  }
}
