public import QuickstepNN

/// Heun's method (the trapezoidal rule with an Euler predictor) on dy/dτ = (y − x̂0)/τ: two evaluations per step, order 2.
///
/// y_p = y + Δ·d1, y' = y + Δ·(d1 + d2)/2 with d1 = (y − m1)/τ, d2 = (y_p − m2)/τ'. A step to σ = 0 is an Euler step, since d2 does not
/// exist there. With `s-churn` it is the stochastic sampler of EDM (Karras et al. 2022, algorithm 2).
public struct Heun: Solver {
  public static let declaration = MethodDeclaration(
    name: "heun", family: .solver, summary: "Trapezoidal rule with an Euler predictor; two evaluations per step.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    parameters: [Frame.parameter] + Churn.parameters, exactness: .approximate, reference: "arXiv 2206.00364, algorithms 1 and 2")

  /// Names of diffusers, k-diffusion and A1111.
  public static let aliases = [
    SolverAlias("HeunDiscreteScheduler", tool: "diffusers"),
    SolverAlias("FlowMatchHeunDiscreteScheduler", tool: "diffusers"),
    SolverAlias("sample_heun", tool: "k-diffusion"),
    SolverAlias("Heun", tool: "A1111"),
    SolverAlias("heun", tool: "ComfyUI"),
    SolverAlias(
      "EDM stochastic", tool: "EDM", parameters: ["s-churn": "40", "s-tmin": "0.05", "s-tmax": "50", "s-noise": "1.003"],
      spacing: "karras"),
  ]

  let frame: Frame?
  let churn: Churn

  /// Reads `frame` and the parameters of added noise.
  public init(_ values: ParameterValues) throws {
    frame = Frame(values)
    churn = try Churn(values)
  }

  /// 2.
  public var order: Int { 2 }

  /// Two evaluations per step, one in a step to σ = 0.
  /// - Throws: ``TableauError`` when it would begin at pure noise in the sigma frame, where τ is infinite.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    let frame = frame ?? schedule.frame
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (level, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let (begin, from) = try churn.raise(x, at: level, steps: grid.steps, schedule: schedule, in: &table)
      x = begin
      let first = FirstOrderStep(from: from, to: to)
      let m1 = table.evaluate(x, at: from)
      guard to.sigma > 0 else {
        x = table.combine([(x, first.state), (m1, first.denoised)], to: to)
        continue
      }
      guard frame.scale(from) > 0 else {
        throw TableauError("heun in the sigma frame cannot step from pure noise (α = 0, timestep \(from.timestep)); use frame=flow")
      }
      let predicted = table.combine([(x, first.state), (m1, first.denoised)], to: to, finishing: false)
      let m2 = table.evaluate(predicted, at: to)
      let slopes = trapezoid(frame, from, to)
      x = table.combine([(x, first.state), (m1, slopes.first), (m2, slopes.second)], to: to)
    }
    return try table.build()
  }

  /// Coefficients of m1 and m2. With y_p written out, y' = (τ'/τ)·y + (Δ/2)(1/τ' − 2/τ)·m1 − (Δ/2τ')·m2, Δ = τ' − τ, scaled back to x.
  /// In that form y_p is not read, and its rounding is not multiplied by Δ/2τ', which is large on long steps.
  private func trapezoid(_ frame: Frame, _ from: NoiseLevel, _ to: NoiseLevel) -> (first: Double, second: Double) {
    let (tau, next) = (frame.coordinate(from), frame.coordinate(to))
    let half = frame.scale(to) * (next - tau) / 2
    return (half * (1 / next - 2 / tau), -half / next)
  }
}
