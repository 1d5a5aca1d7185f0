public import QuickstepNN

/// Trajectory consistency sampling (Zheng et al. 2024, "strategic stochastic sampling"): a DDIM step to a time s below the target, then
/// fresh noise up to it.
///
/// x_s = α_s·x̂0 + σ_s·ε̂ with s = ⌊(1 − γ)·t'⌋, x' = (α'/α_s)·x_s + √(σ'² − (α'σ_s/α_s)²)·z. γ = 0 is DDIM; γ = 1 is multistep consistency
/// sampling.
public struct TCD: Solver {
  public static let declaration = MethodDeclaration(
    name: "tcd", family: .solver, summary: "DDIM steps below the target time, then fresh noise, for networks distilled to jump.",
    points: [.step], reads: ["state", "denoised"], changes: ["state"],
    needs: ["a network distilled for trajectory consistency where gamma is above 0"],
    parameters: [
      ParameterDeclaration(
        name: "gamma", summary: "How far below the target each step goes: 0 is DDIM, 1 goes to clean data (diffusers calls it eta).",
        domain: .number(0...1), standard: .number(0.3), neutral: .number(0))
    ], exactness: .approximate, reference: "arXiv 2402.19159, algorithm 2")

  /// Names of diffusers and stable-diffusion.cpp.
  public static let aliases = [SolverAlias("TCDScheduler", tool: "diffusers", spacing: "lcm")]

  let gamma: Double

  /// Reads `gamma`.
  public init(_ values: ParameterValues) throws { gamma = values.number("gamma") }

  /// ``SolverNature/consistency``; with γ = 0 it follows the probability-flow ODE.
  public static var nature: SolverNature { .consistency }
  /// 1, with γ = 0.
  public var order: Int { 1 }

  /// One evaluation per step, and a draw of noise in every step but the last.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (index, (from, to)) in zip(grid.levels, grid.levels.dropFirst()).enumerated() {
      let m = table.evaluate(x, at: from)
      let isLast = index == grid.steps - 1
      let below = isLast ? to : try level(below: to, schedule)
      let c = FirstOrderStep(from: from, to: below)
      let kept = below.alpha == to.alpha ? 1 : to.alpha / below.alpha
      let variance = to.sigma * to.sigma - kept * kept * below.sigma * below.sigma
      x = table.combine(
        [(x, kept * c.state), (m, kept * c.denoised)], noise: below == to ? 0 : max(0, variance).squareRoot(), to: to)
    }
    return try table.build()
  }

  /// (1 − γ) of the target's time: a trained timestep where there are some, else the noise coordinate.
  private func level(below target: NoiseLevel, _ schedule: any NoiseSchedule) throws -> NoiseLevel {
    guard gamma > 0 else { return target }
    if schedule.trainSteps != nil { return try schedule.level(at: ((1 - gamma) * target.timestep).rounded(.down)) }
    let coordinate = (1 - gamma) * schedule.frame.coordinate(target)
    return coordinate == 0 ? schedule.clean : try schedule.level(coordinate: coordinate)
  }
}
