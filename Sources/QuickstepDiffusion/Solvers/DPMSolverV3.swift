import Foundation
public import QuickstepNN

/// DPM-Solver-v3 (Zheng et al. 2023): a multistep predictor-corrector in the basis that the model's own statistics choose; one evaluation per step.
///
/// With N = σ·ε̂ − l·x and f = N/α, e^{−∫s}·f − ∫e^{−∫s}b is what varies least along the model's paths; it is the polynomial that is extrapolated
/// (section 3.1, equations 9–13). l = 1, s = b = 0 is DPM-Solver++ in its Taylor form, and what is done without statistics.
public struct DPMSolverV3: Solver {
  public static let declaration = MethodDeclaration(
    name: "dpm-v3", family: .solver, summary: "Multistep predictor-corrector in a basis fitted to the model's statistics.", points: [.step],
    reads: ["state", "denoised", "previous states", "previous denoised"], changes: ["state"],
    needs: ["statistics made by 'quickstep calibrate statistics'; without them it is DPM-Solver++ with a corrector"],
    state: "earlier predictions and the states they were made at, as many as the order",
    parameters: [
      ParameterDeclaration(
        name: "statistics", summary: "The model's statistics.", domain: .text("path of a safetensors file"), standard: .text("")),
      ParameterDeclaration(name: "order", summary: "Order of the predictor.", domain: .integer(1...3), standard: .integer(2)),
      ParameterDeclaration(
        name: "corrector", summary: "Where the state is corrected by the next evaluation.",
        domain: .choice(["always", "first-half", "never"]), standard: .choice("always"), neutral: .choice("never")),
      ParameterDeclaration(
        name: "pseudo-predictor", summary: "Plain divided differences in the predictor in place of the joint solution.", domain: .flag,
        standard: .flag(false)),
      ParameterDeclaration(
        name: "pseudo-corrector", summary: "The same in the corrector, one order higher.", domain: .flag, standard: .flag(true)),
      ParameterDeclaration(
        name: "lower-order-final", summary: "Lower the order towards the end.", domain: .flag, standard: .flag(true)),
      ModelStatistics.Quadrature.parameter,
    ], exactness: .approximate, reference: "arXiv 2310.13268, section 3")

  let statistics: ModelStatistics?
  let maximumOrder: Int
  let corrector: String
  let pseudoPredictor: Bool
  let pseudoCorrector: Bool
  let lowersFinal: Bool
  let quadrature: ModelStatistics.Quadrature

  /// Reads the parameters and the file of statistics.
  /// - Throws: `FormatError` when the file is not of the kind.
  public init(_ values: ParameterValues) throws {
    statistics = try values.text("statistics").map { try ModelStatistics(path: $0) }
    maximumOrder = values.integer("order") ?? 2
    corrector = values.choice("corrector") ?? "always"
    pseudoPredictor = values.flag("pseudo-predictor")
    pseudoCorrector = values.flag("pseudo-corrector")
    lowersFinal = values.flag("lower-order-final")
    quadrature = ModelStatistics.Quadrature(values)
  }

  /// At most 2: the first step is of first order, and what it errs, h², stays. The corrector takes most of that away at few steps.
  /// One that corrects every step with a plain difference has that order with any predictor.
  public var order: Int { corrector == "always" && pseudoCorrector ? 2 : min(maximumOrder, 2) }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] {
    OrderFallback.sentences(Self.name, order: maximumOrder, steps: steps) {
      min(maximumOrder, $0 + 1, lowersFinal ? steps - $0 : maximumOrder)
    }
  }

  /// Another model than the one the statistics were taken from, where they say which.
  public func concerns(fingerprint: String, guidanceScale: Double?, accelerations: [String]) -> [String] {
    statistics?.concerns(fingerprint: fingerprint) ?? []
  }

  /// One evaluation per step. A first step from pure noise, where λ is infinite, is of first order, and its prediction is not used again.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    let finite = grid.levels.map(\.lambda).filter(\.isFinite)
    let basis = try statistics ?? .plain((finite.first ?? 0)...(finite.last ?? 0))
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var history = StatisticsHistory(basis: basis, quadrature: quadrature)
    var x = table.initial
    var previousOrder = 0
    for step in 1...grid.steps {
      let (from, to) = (grid.levels[step - 1], grid.levels[step])
      let m = table.evaluate(x, at: from)
      guard from.lambda > -.infinity else {
        let first = FirstOrderStep(from: from, to: to)
        x = table.combine([(x, first.state), (m, first.denoised)], to: to)
        continue
      }
      history.append(state: x, denoised: m, level: from)
      let correctorOrder = previousOrder + (pseudoCorrector ? 1 : 0)
      if correctorOrder > 1, corrects(step, grid, schedule) {
        let form = history.corrected(order: min(correctorOrder, history.count), pseudo: pseudoCorrector)
        x = table.combine(form, to: from, finishing: false)
        history.replaceState(x)
      }
      guard to.sigma > 0 else {
        // λ is infinite there: the exact first-order step is the prediction itself.
        x = table.combine([(m, to.alpha)], to: to)
        break
      }
      previousOrder = min(maximumOrder, history.count, lowersFinal ? grid.steps + 1 - step : maximumOrder)
      x = table.combine(history.predicted(to: to, order: previousOrder, pseudo: pseudoPredictor), to: to)
    }
    return try table.build()
  }

  private func corrects(_ step: Int, _ grid: Grid, _ schedule: any NoiseSchedule) -> Bool {
    switch corrector {
    case "never": false
    case "first-half": grid.levels[step - 1].timestep > (grid.levels[0].timestep + schedule.endOfTime) / 2
    default: true
    }
  }
}
