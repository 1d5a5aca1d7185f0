public import QuickstepNN

/// Ancestral Euler (k-diffusion): a deterministic step to a level below the target, then fresh noise up to it.
///
/// σ_up = min(σ', η·√(σ'²(σ²−σ'²)/σ²)) and σ_down = √(σ'²−σ_up²) in the sigma frame.
public struct EulerAncestral: Solver {
  public static let declaration = MethodDeclaration(
    name: "euler-ancestral", family: .solver, summary: "Euler steps below the target level, then fresh noise up to it.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    parameters: AncestralNoise.parameters, exactness: .approximate, reference: "k-diffusion, sample_euler_ancestral")

  /// Names of diffusers, k-diffusion, A1111 and stable-diffusion.cpp.
  public static let aliases = [
    SolverAlias("EulerAncestralDiscreteScheduler", tool: "diffusers"),
    SolverAlias("sample_euler_ancestral", tool: "k-diffusion"),
    SolverAlias("Euler a", tool: "A1111"),
    SolverAlias("euler_ancestral", tool: "ComfyUI"),
    SolverAlias("euler_a", tool: "stable-diffusion.cpp"),
  ]

  let noise: AncestralNoise

  /// Reads `eta` and `s-noise`.
  public init(_ values: ParameterValues) throws { noise = AncestralNoise(values) }

  /// 1, without noise.
  public var order: Int { 1 }

  /// One evaluation per step, and a draw of noise in every step that does not end at σ = 0.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (from, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let m = table.evaluate(x, at: from)
      let c = FirstOrderStep(from: from, to: to, eta: noise.eta)
      x = table.combine([(x, c.state), (m, c.denoised)], noise: c.noise * noise.scale, to: to)
    }
    return try table.build()
  }
}
