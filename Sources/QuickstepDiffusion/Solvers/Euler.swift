public import QuickstepNN

/// Euler's method on dy/dτ = (y − x̂0)/τ, in the sigma frame of k-diffusion or the time of flow models.
///
/// Both frames give the same step, x' = (σ'/σ)·x + (α' − α·σ'/σ)·x̂0, which is also DDIM without noise: three names, one table.
public struct Euler: Solver {
  public static let declaration = MethodDeclaration(
    name: "euler", family: .solver, summary: "Euler's method along the probability-flow ODE.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"], parameters: Churn.parameters, exactness: .approximate,
    reference: "arXiv 2206.00364, algorithm 1 without lines 6 to 8")

  /// Names of diffusers, k-diffusion and A1111.
  public static let aliases = [
    SolverAlias("EulerDiscreteScheduler", tool: "diffusers"),
    SolverAlias("FlowMatchEulerDiscreteScheduler", tool: "diffusers"),
    SolverAlias("EDMEulerScheduler", tool: "diffusers", spacing: "karras"),
    SolverAlias("sample_euler", tool: "k-diffusion"),
    SolverAlias("Euler", tool: "A1111"),
    SolverAlias("euler", tool: "ComfyUI"),
  ]

  let churn: Churn

  /// Reads the parameters of added noise.
  public init(_ values: ParameterValues) throws { churn = try Churn(values) }

  /// 1.
  public var order: Int { 1 }

  /// One evaluation per step, and a draw of noise where it is added.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (level, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let (begin, from) = try churn.raise(x, at: level, steps: grid.steps, schedule: schedule, in: &table)
      let m = table.evaluate(begin, at: from)
      let c = FirstOrderStep(from: from, to: to)
      x = table.combine([(begin, c.state), (m, c.denoised)], to: to)
    }
    return try table.build()
  }
}
