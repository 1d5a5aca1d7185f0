public import QuickstepNN

/// UniPC: a multistep predictor of order p in λ, and a corrector of order p + 1 that reuses the evaluation at the predicted state.
///
/// With hh = −h (data prediction) or h (noise prediction), r_i = (λ_i − λ)/h and D_i = (m_i − m0)/r_i, the predictor is
/// x̄ − c·B·Σ ρ_i·D_i with Σ_j ρ_j·r_j^{k−1} = hh·φ_{k+1}(hh)·k!/B, and the corrector the same with the new prediction as one more point
/// (Zhao et al. 2023, arXiv 2302.04867, algorithms 1 and 2). The stored prediction is that at the predicted state.
public struct UniPC: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "unipc", family: .solver, summary: "Multistep predictor in log-SNR with a corrector that costs no evaluation.",
    points: [.step], reads: ["state", "denoised", "previous state", "previous denoised"], changes: ["state"],
    needs: ["2 steps to differ from first order"], state: "as many earlier predictions as its order, and one earlier state",
    parameters: [
      ParameterDeclaration(name: "order", summary: "p of the predictor.", domain: .integer(1...3), standard: .integer(2)),
      UniMethod.variant,
      ParameterDeclaration(
        name: "prediction", summary: "Which prediction is a polynomial.", domain: .choice(["denoised", "epsilon"]),
        standard: .choice("denoised")),
      ParameterDeclaration(name: "corrector", summary: "Correct every state but the last.", domain: .flag, standard: .flag(true)),
      StepList.parameter("disable-corrector", "Steps whose result is not corrected."),
      ParameterDeclaration(
        name: "lower-order-final", summary: "End at lower orders: …, 2, 1.", domain: .flag, standard: .flag(true), neutral: .flag(false)),
      UniMethod.exact,
    ], exactness: .approximate, reference: "arXiv 2302.04867, algorithms 1 and 2")

  /// Names of diffusers, ComfyUI and A1111.
  public static let aliases = [
    SolverAlias("UniPCMultistepScheduler", tool: "diffusers"),
    SolverAlias("uni_pc", tool: "ComfyUI", parameters: ["variant": "bh1", "order": "3"]),
    SolverAlias("uni_pc_bh2", tool: "ComfyUI", parameters: ["variant": "bh2", "order": "3"]),
  ]

  let greatest: Int
  let method: UniMethod
  let prediction: PredictionKind
  let corrects: Bool
  let uncorrected: Set<Int>
  let lowersFinal: Bool

  /// Reads `order`, `variant`, `prediction`, `corrector`, `disable-corrector`, `lower-order-final` and `exact-weights`.
  /// - Throws: `ParameterError` for a list that is none.
  public init(_ values: ParameterValues) throws {
    greatest = values.integer("order") ?? 2
    method = UniMethod(values)
    prediction = values.choice("prediction") == "epsilon" ? .epsilon : .denoised
    corrects = values.flag("corrector")
    uncorrected = try StepList.read("disable-corrector", values)
    lowersFinal = values.flag("lower-order-final")
  }

  /// One more than the predictor's with the corrector; a last step of first order lets it be at most 2 in the limit.
  public var order: Int {
    let order = greatest + (corrects ? 1 : 0)
    return lowersFinal ? min(2, order) : order
  }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] {
    OrderFallback.sentences(Self.name, order: greatest, steps: steps) { predictorOrder($0, of: steps) }
  }

  /// The predictor's order in a step.
  private func predictorOrder(_ index: Int, of steps: Int) -> Int { min(greatest, index + 1, lowersFinal ? steps - index : greatest) }

  /// One evaluation per step.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    (0..<grid.steps).map { index in
      let order = predictorOrder(index, of: grid.steps)
      var decision = method.predictor(prediction, order: order)
      if corrects, index + 1 < grid.steps, !uncorrected.contains(index) { decision.corrector = method.corrector(order: order) }
      return PlannedStep(to: grid.levels[index + 1], decision)
    }
  }
}
