public import QuickstepNN

/// DDIM (Song, Meng, Ermon 2021): one evaluation per step, deterministic at η = 0, as noisy as DDPM at η = 1.
///
/// x' = α'·x̂0 + √(σ'² − s²)·ε̂ + s·z with s = η·(σ'/σ)·√(1 − α²/α'²) (equations 12 and 16). Written with the levels' log-SNR, so that it
/// also holds for variance-exploding and flow schedules, where it equals the ancestral step.
public struct DDIM: Solver {
  public static let declaration = MethodDeclaration(
    name: "ddim", family: .solver, summary: "First-order transfer between noise levels, with optional fresh noise.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    parameters: [
      ParameterDeclaration(
        name: "eta", summary: "Share of fresh noise: 0 is deterministic, 1 is DDPM.", domain: .number(0...1), standard: .number(0),
        neutral: .number(0))
    ], exactness: .approximate, reference: "arXiv 2010.02502, equations 12 and 16")

  /// Names of diffusers, A1111, ComfyUI and stable-diffusion.cpp.
  public static let aliases = [
    SolverAlias("DDIMScheduler", tool: "diffusers"),
    SolverAlias("DDIMParallelScheduler", tool: "diffusers"),
    SolverAlias("DDIM", tool: "A1111"),
    SolverAlias("ddim", tool: "ComfyUI"),
    SolverAlias("ddim_trailing", tool: "stable-diffusion.cpp", spacing: "trailing"),
  ]

  let eta: Double

  /// Reads `eta`.
  public init(_ values: ParameterValues) throws { eta = values.number("eta") }

  /// 1.
  public var order: Int { 1 }

  /// One evaluation per step; with fresh noise where η > 0.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (from, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let m = table.evaluate(x, at: from)
      let c = FirstOrderStep(from: from, to: to, eta: eta)
      x = table.combine([(x, c.state), (m, c.denoised)], noise: c.noise, to: to)
    }
    return try table.build()
  }
}
