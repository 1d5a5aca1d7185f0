import Foundation
public import QuickstepNN

/// DPM-Solver++ 2M: second-order multistep in λ = log(α/σ) on the data prediction; one evaluation per step.
///
/// x' = (σ'/σ)·x − α'φ·m0 − ½α'φ·D with φ = e^{−h} − 1, D = (h/h0)·(m0 − m1) (midpoint), or + α'(φ/h + 1)·D in place of the last term
/// (Lu et al. 2022, algorithm 2). The first step is first order, as are the last ones where asked for or needed.
public struct DPMSolverPP2M: Solver {
  public static let declaration = MethodDeclaration(
    name: "dpm++-2m", family: .solver, summary: "Second-order multistep in log-SNR on the data prediction.", points: [.step],
    reads: ["state", "denoised", "previous denoised"], changes: ["state"], needs: ["2 steps to differ from first order"],
    state: "one earlier prediction",
    parameters: [
      ParameterDeclaration(
        name: "variant", summary: "How the slope enters: midpoint or Taylor (diffusers calls it heun).",
        domain: .choice(["midpoint", "taylor"]), standard: .choice("midpoint")),
      ParameterDeclaration(
        name: "lower-order-final", summary: "Take the last step at first order in runs of fewer than 15 steps.", domain: .flag,
        standard: .flag(true)),
      ParameterDeclaration(
        name: "euler-at-final", summary: "Take the last step at first order always.", domain: .flag, standard: .flag(false)),
    ], exactness: .approximate, reference: "arXiv 2211.01095, algorithm 2")

  /// Names of diffusers, k-diffusion, ComfyUI and A1111.
  public static let aliases = [
    SolverAlias("DPMSolverMultistepScheduler", tool: "diffusers"),
    SolverAlias("sample_dpmpp_2m", tool: "k-diffusion"),
    SolverAlias("dpmpp_2m", tool: "ComfyUI"),
    SolverAlias("DPM++ 2M Karras", tool: "A1111", spacing: "karras"),
  ]

  let isMidpoint: Bool
  let lowersFinal: Bool
  let eulerAtFinal: Bool

  /// Reads `variant`, `lower-order-final` and `euler-at-final`.
  public init(_ values: ParameterValues) throws {
    isMidpoint = values.choice("variant") != "taylor"
    lowersFinal = values.flag("lower-order-final")
    eulerAtFinal = values.flag("euler-at-final")
  }

  /// 2.
  public var order: Int { 2 }

  /// One evaluation per step; reads the prediction of the step before.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    var previous: (register: Register, level: NoiseLevel)?
    for (index, (from, to)) in zip(grid.levels, grid.levels.dropFirst()).enumerated() {
      let m = table.evaluate(x, at: from)
      let c = FirstOrderStep(from: from, to: to)
      let isLast = index == grid.steps - 1
      // At σ' = 0 the step h is infinite and the slope has no meaning, so that every version of the method drops it there.
      let isFirstOrder = to.sigma == 0 || (isLast && (eulerAtFinal || (lowersFinal && grid.steps < 15)))
      if let previous, !isFirstOrder {
        let slope = slope(previous.level, from, to)
        x = table.combine([(x, c.state), (m, c.denoised + slope), (previous.register, -slope)], to: to)
      } else {
        x = table.combine([(x, c.state), (m, c.denoised)], to: to)
      }
      previous = (m, from)
    }
    return try table.build()
  }

  /// Coefficient of m0 − m1.
  private func slope(_ before: NoiseLevel, _ from: NoiseLevel, _ to: NoiseLevel) -> Double {
    // Coming from pure noise the earlier interval is infinite, and the earlier prediction counts for nothing.
    guard before.lambda > -.infinity else { return 0 }
    let h = to.lambda - from.lambda
    let ratio = h / (from.lambda - before.lambda)
    return isMidpoint ? -0.5 * to.alpha * expm1(-h) * ratio : to.alpha * h * phi(2, -h) * ratio
  }
}
