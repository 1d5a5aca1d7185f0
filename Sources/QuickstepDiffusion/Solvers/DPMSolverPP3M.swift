public import QuickstepNN

/// DPM-Solver++ 3M: third-order multistep in λ = log(α/σ) on the data prediction; one evaluation per step.
///
/// x' = (σ'/σ)·x − α'φ·m0 + α'(φ/h + 1)·D1 − α'((φ + h)/h² − ½)·D2 with φ = e^{−h} − 1 and D1 = h·m', D2 = c·h²·m''/2 from the polynomial
/// through the last three predictions (Lu et al. 2022, arXiv 2211.01095, appendix B, and the authors' code, which has c = 1; the
/// expansion has c = 2).
public struct DPMSolverPP3M: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dpm++-3m", family: .solver, summary: "Third-order multistep in log-SNR on the data prediction.", points: [.step],
    reads: ["state", "denoised", "previous denoised"], changes: ["state"], needs: ["3 steps to differ from second order"],
    state: "two earlier predictions", parameters: [ThirdTerm.parameter, SlopeVariant.parameter] + MultistepOrders.parameters,
    exactness: .approximate, reference: "arXiv 2211.01095, appendix B; LuChengTHU/dpm-solver")

  let method: DPMMultistep

  /// Reads `third-term`, `variant` (for steps of second order) and the rules of the last steps.
  public init(_ values: ParameterValues) throws {
    method = DPMMultistep(order: 3, variant: SlopeVariant(values), third: ThirdTerm(values), orders: MultistepOrders(values))
  }

  /// 3 with the exact third term, 2 with the published one.
  public var order: Int { method.convergence }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] { method.fallbacks(Self.name, steps: steps) }

  /// One evaluation per step; reads the predictions of the two steps before.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] { method.plan(grid) }
}
