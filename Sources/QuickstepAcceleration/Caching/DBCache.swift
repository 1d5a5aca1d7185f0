public import QuickstepNN

/// DBCache: the first blocks always run and decide, the last ones always run and repair, and what the blocks between them add is taken from memory
/// (the cache-dit program).
public struct DBCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "dbcache", family: .acceleration,
    summary: "Runs the first and the last blocks always, and those between them when the first ones' change says so.",
    points: [.block], reads: ["first blocks' change"], changes: ["output of the blocks between"], needs: ["a list of blocks"],
    state: "the residual of the blocks between (2 or 3 with forecasts) and the first blocks' change",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "relative change of the first blocks' residual below which the blocks between are left out",
        domain: .number(0...10), standard: .number(0.15), neutral: .number(0), searched: .number(0.02...0.6)),
      ParameterDeclaration(
        name: "first", summary: "blocks at the beginning that always run, Fn", domain: .integer(1...1000), standard: .integer(1)),
      ParameterDeclaration(
        name: "last", summary: "blocks at the end that always run, Bn", domain: .integer(0...1000), standard: .integer(0)),
      ParameterDeclaration(
        name: "estimate", summary: "of the residual: as it was, by a Taylor polynomial, or forecast and corrected",
        domain: .choice(["hold", "taylor", "foca"]), standard: .choice("hold"), searched: .choice(["hold", "taylor", "foca"])),
      ParameterDeclaration(
        name: "order", summary: "of 'taylor'", domain: .integer(1...4), standard: .integer(1), condition: .init("estimate", ["taylor"])),
      ParameterDeclaration(
        name: "warmup", summary: "full evaluations at the beginning, W", domain: .integer(0...1000), standard: .integer(4)),
      ParameterDeclaration(
        name: "continuous", summary: "evaluations that may be left out in a row, MC; 0: any number", domain: .integer(0...1000),
        standard: .integer(0)),
      ParameterDeclaration(
        name: "total", summary: "evaluations that may be left out in all; 0: any number", domain: .integer(0...100_000),
        standard: .integer(0)),
    ], exactness: .approximate, reference: "vipshop/cache-dit; FoCa: Zheng et al. 2025, arXiv 2508.16211")

  let threshold: Double
  let first: Int, last: Int
  let rule: any Extrapolation
  let order: Int
  let limits: GateLimits

  public init(_ values: ParameterValues) {
    (threshold, first, last) = (values.number("threshold"), values.integer("first") ?? 1, values.integer("last") ?? 0)
    let given = values.integer("order") ?? 1
    switch values.choice("estimate") {
    case "taylor": (rule, order) = (TaylorExtrapolation(), given)
    case "foca": (rule, order) = (HeunExtrapolation(), 1)
    default: (rule, order) = (Hold(), 0)
    }
    limits = GateLimits(
      warmup: values.integer("warmup") ?? 0, continuous: values.integer("continuous") ?? 0, total: values.integer("total") ?? 0)
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    let count = try run.needBlocks("dbcache").count
    guard threshold > 0 else { return [] }
    guard first + last < count else {
      throw AccelerationError("'dbcache' with first \(first) and last \(last) leaves no block between: \(run.network) has \(count)")
    }
    let (threshold, limits, order) = (threshold, limits, order)
    return [
      .range(
        RangeCache(method: "dbcache", first: first, last: last, value: .residual, signal: .change, rule: rule, order: order) {
          ChangeGate(method: "dbcache", threshold: threshold, limits: limits, action: order == 0 ? .reuse : .forecast(order: order))
        })
    ]
  }
}

/// Forecast-then-calibrate (FoCa): Heun's rule with the slope of the computed values as predictor and the last change as corrector,
/// F_c + (e/2)(slope + F_{k} − F_{k−1}), e evaluations after the last computed value F_c; F_k is the value of the evaluation before, forecast or
/// not. For e above 3 the value of e = 3 is drawn towards F_c by 3/e. Linear in the computed values, since every forecast is.
public struct HeunExtrapolation: Extrapolation {
  /// Forecast and corrected.
  public init() {}
  public func depth(order: Int) -> Int { 3 }

  public func weights(nodes: [Double], target: Double, order: Int) -> [Double] {
    guard nodes.count > 1 else { return [1] }
    let used = Array(nodes.prefix(3))
    return value(at: target, used, 0)
  }

  /// The value at `target` as weights of `nodes`, as it stood when the node `newest` was the last computed one.
  private func value(at target: Double, _ nodes: [Double], _ newest: Int) -> [Double] {
    var held = [Double](repeating: 0, count: nodes.count)
    held[newest] = 1
    guard newest + 1 < nodes.count, target > nodes[newest] else { return held }
    let gap = nodes[newest] - nodes[newest + 1]
    let distance = target - nodes[newest]
    if distance > 3 {
      return zip(held, value(at: nodes[newest] + 3, nodes, newest)).map { $0 + 3 / distance * ($1 - $0) }
    }
    // The last change is between the evaluation before the target and the one before that.
    let before = value(at: max(nodes[newest], target - 1), nodes, newest)
    let former = target - 2 >= nodes[newest] ? value(at: target - 2, nodes, newest) : value(at: target - 2, nodes, newest + 1)
    return held.indices.map { index in
      let slope = ((index == newest ? 1 : 0) - (index == newest + 1 ? 1 : 0)) / gap
      return held[index] + distance / 2 * (slope + before[index] - former[index])
    }
  }
}
