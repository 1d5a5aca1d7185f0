public import QuickstepNN
import QuickstepTensor

/// CG-Taylor: what comes out of the list of blocks is forecast as long as the same kind of forecast of the first block's output, which is always
/// computed, turns out right (Guan et al. 2025, arXiv 2508.02240).
public struct CGTaylor: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "cg-taylor", family: .acceleration,
    summary: "Forecasts the last block's output while the forecast of the first block's output is confirmed.",
    points: [.block], reads: ["first block's output"], changes: ["output of the list of blocks"], needs: ["a list of blocks"],
    state: "order + 1 outputs of the list of blocks and gate order + 1 of the first block",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "relative error of the first block's forecast below which the other blocks are left out",
        domain: .number(0...10), standard: .number(0.05), neutral: .number(0), searched: .number(0.005...0.5)),
      ParameterDeclaration(
        name: "order", summary: "of the forecast", domain: .integer(0...4), standard: .integer(1), searched: .integer(0...2)),
      ParameterDeclaration(
        name: "gate-order", summary: "of the first block's forecast", domain: .integer(0...4), standard: .integer(3)),
      ParameterDeclaration(
        name: "value", summary: "what is forecast: the last block's output, or what the other blocks add to the first one's",
        domain: .choice(["output", "residual"]), standard: .choice("output")),
      ParameterDeclaration(
        name: "warmup", summary: "full evaluations at the beginning", domain: .integer(1...1000), standard: .integer(3)),
      ParameterDeclaration(
        name: "continuous", summary: "evaluations that may be left out in a row; 0: any number", domain: .integer(0...1000),
        standard: .integer(0)),
    ], exactness: .approximate, reference: "arXiv 2508.02240, section 3; the authors' CG-Taylor-DiT")

  let threshold: Double
  let order: Int
  let gateOrder: Int
  let value: RangeCache.Value
  let limits: GateLimits

  public init(_ values: ParameterValues) {
    (threshold, order, gateOrder) = (values.number("threshold"), values.integer("order") ?? 0, values.integer("gate-order") ?? 0)
    value = values.choice("value").flatMap(RangeCache.Value.init) ?? .output
    limits = GateLimits(warmup: values.integer("warmup") ?? 1, continuous: values.integer("continuous") ?? 0, endsFull: true)
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    _ = try run.needBlocks("cg-taylor")
    guard threshold > 0 else { return [] }
    let (threshold, order, gateOrder, limits) = (threshold, order, gateOrder, limits)
    return [
      .range(
        RangeCache(
          method: "cg-taylor", first: 1, value: value, signal: .input, rule: TaylorExtrapolation(), order: order, gateDepth: gateOrder + 1
        ) {
          ForecastErrorGate(
            method: "cg-taylor", threshold: threshold, limits: limits, order: gateOrder,
            action: order == 0 ? .reuse : .forecast(order: order))
        })
    ]
  }
}

/// Forecasts its own signal, and trusts forecasts as long as that one is right. Its history grows only where it was not.
final class ForecastErrorGate: Gate {
  private let method: String
  private let threshold: Double
  private let order: Int
  private let answer: SiteAction
  private let rule = TaylorExtrapolation()
  private var count: GateCount
  private var history = History()

  init(method: String, threshold: Double, limits: GateLimits, order: Int, action: SiteAction) {
    (self.method, self.threshold, self.order, answer, count) = (method, threshold, order, action, GateCount(limits))
  }

  var heldBytes: Int { history.bytes }

  func action(_ moment: GateMoment) throws -> SiteAction {
    guard let signal = moment.signal else { throw AccelerationError("'\(method)' has nothing to forecast in this network") }
    let index = moment.context.evaluation
    if !count.demandsFull(moment), let forecast = try history.estimate(rule, target: Double(index), order: order)?.first {
      let error = try Change.relative(forecast, to: signal, of: method, moment.context)
      moment.note(error)
      if error < threshold { return count.counting(answer) }
    }
    try history.append([signal], node: Double(index), evaluation: index, depth: rule.depth(order: order))
    return count.counting(.compute)
  }
}
