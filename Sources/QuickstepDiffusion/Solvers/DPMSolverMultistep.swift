public import QuickstepNN

/// DPM-Solver multistep of orders 1 to 3, on the noise prediction; one evaluation per step.
///
/// x' = (α'/α)·x − σ'φ·ε0 − ½σ'φ·D with φ = e^h − 1, D = (h/h0)·(ε0 − ε1) (midpoint), or − σ'(φ/h − 1)·D in place of the last term, and at
/// order 3 − σ'(φ/h − 1)·D1 − σ'((φ − h)/h² − ½)·D2 (Lu et al. 2022, arXiv 2206.00927, and the authors' code). With η it follows the SDE,
/// x' = (α'/α)·x − (1+η)σ'φ·ε0 − … + σ'√(η(e^{2h} − 1))·z.
public struct DPMSolverMultistep: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dpm-multistep", family: .solver, summary: "Multistep in log-SNR on the noise prediction.", points: [.step],
    reads: ["state", "denoised", "previous noise"], changes: ["state"], needs: ["as many steps as its order"],
    state: "as many earlier noise predictions as its order, less one",
    parameters: [
      ParameterDeclaration(name: "order", summary: "1, 2 or 3; 1 is DDIM.", domain: .integer(1...3), standard: .integer(2)),
      NoiseParameter.eta(standard: 0), NoiseParameter.scale, SlopeVariant.parameter, ThirdTerm.parameter,
    ] + MultistepOrders.parameters, exactness: .approximate, reference: "arXiv 2206.00927; LuChengTHU/dpm-solver")

  let method: DPMMultistep

  /// Reads `order`, `eta`, `s-noise`, `variant`, `third-term` and the rules of the last steps.
  public init(_ values: ParameterValues) throws {
    method = DPMMultistep(
      prediction: .epsilon, order: values.integer("order") ?? 2, variant: SlopeVariant(values), third: ThirdTerm(values),
      eta: values.number("eta"), noiseScale: values.number("s-noise"), orders: MultistepOrders(values))
  }

  /// That of the method without noise.
  public var order: Int { method.convergence }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] { method.fallbacks(Self.name, steps: steps) }

  /// One evaluation per step; reads the noise predictions of the steps before.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] { method.plan(grid) }
}
