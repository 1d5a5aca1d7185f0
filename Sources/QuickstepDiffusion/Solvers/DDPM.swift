import Foundation
public import QuickstepNN

/// DDPM's ancestral sampling (Ho et al. 2020, algorithm 2) between any two levels of a grid: the posterior mean of the forward process and
/// noise of one of two variances.
///
/// x' = (σ'/σ)·e^{−h}·x + α'·(1 − e^{−2h})·x̂0 + s·z with h = λ' − λ. The small variance is the posterior's for known x0,
/// s² = σ'²·(1 − e^{−2h}), the large one that of the forward step, s² = σ²·(1 − e^{−2h}) (β for variance-preserving models).
public struct DDPM: Solver {
  public static let declaration = MethodDeclaration(
    name: "ddpm", family: .solver, summary: "Posterior mean of the forward process, with noise of small or large variance.",
    points: [.step], reads: ["state", "denoised"], changes: ["state"],
    parameters: [
      ParameterDeclaration(
        name: "variance", summary: "Of the fresh noise: for known data (small) or of the forward step (large).",
        domain: .choice(["fixed-small", "fixed-large"]), standard: .choice("fixed-small")),
      ParameterDeclaration(
        name: "s-noise", summary: "Factor on the fresh noise; 1 keeps the marginals.", domain: .number(0...2), standard: .number(1),
        neutral: .number(1)),
    ], exactness: .approximate, reference: "arXiv 2006.11239, equation 7 and section 3.2")

  /// Names of diffusers, ComfyUI and the papers' code.
  public static let aliases = [
    SolverAlias("DDPMScheduler", tool: "diffusers"),
    SolverAlias("DDPMParallelScheduler", tool: "diffusers"),
    SolverAlias("ddpm", tool: "ComfyUI"),
    SolverAlias("fixed_large", tool: "DDPM's code", parameters: ["variance": "fixed-large"]),
  ]

  let isLarge: Bool
  let noiseScale: Double

  /// Reads `variance` and `s-noise`.
  public init(_ values: ParameterValues) throws {
    isLarge = values.choice("variance") == "fixed-large"
    noiseScale = values.number("s-noise")
  }

  /// ``SolverNature/diffusion``.
  public static var nature: SolverNature { .diffusion }
  /// 1, of mean and variance.
  public var order: Int { 1 }

  /// One evaluation per step, and a draw of noise in every step but one to σ = 0.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (from, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let m = table.evaluate(x, at: from)
      // η = 1 is this mean and the small variance.
      let c = FirstOrderStep(from: from, to: to, eta: 1)
      let large = from.sigma * (-expm1(-2 * (to.lambda - from.lambda))).squareRoot()
      let spread = to.sigma == 0 ? 0 : isLarge ? large : c.noise
      x = table.combine([(x, c.state), (m, c.denoised)], noise: spread * noiseScale, to: to)
    }
    return try table.build()
  }
}
