public import QuickstepNN

/// TaylorSeer: between full evaluations features are forecast from their finite differences instead of being reused (Liu et al. 2025, arXiv
/// 2503.06923).
public struct TaylorSeer: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "taylorseer", family: .acceleration, summary: "Forecasts features between full evaluations by Taylor polynomials.",
    points: [.block], reads: ["module or block outputs"], changes: ["module or block outputs"],
    needs: ["attention or feed-forward modules, or a list of blocks"], state: "order + 1 outputs per module, or of the list of blocks",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per full one, N", domain: .integer(1...1000), standard: .integer(4), neutral: .integer(1),
        searched: .integer(2...8)),
      ParameterDeclaration(
        name: "order", summary: "of the polynomial", domain: .integer(0...4), standard: .integer(1), searched: .integer(0...3)),
      ParameterDeclaration(
        name: "warmup", summary: "full evaluations at the beginning", domain: .integer(1...1000), standard: .integer(3)),
      ParameterDeclaration(
        name: "schedule",
        summary:
          "full evaluations after the warm-up: counted from its last one as in the authors' program, or beginning at its second as in diffusers",
        domain: .choice(["counter", "hook"]), standard: .choice("counter")),
      ParameterDeclaration(
        name: "level", summary: "what is forecast: every module, or the whole list of blocks (much less memory)",
        domain: .choice(["module", "blocks"]), standard: .choice("blocks"), searched: .choice(["module", "blocks"])),
      ParameterDeclaration(
        name: "rule", summary: "the authors' differences, or the polynomial through the values", domain: .choice(["taylor", "newton"]),
        standard: .choice("taylor")),
      ParameterDeclaration(
        name: "abscissa", summary: "what counts as distance", domain: .choice(Abscissa.allCases.map(\.rawValue)),
        standard: .choice(Abscissa.evaluation.rawValue)),
      ParameterDeclaration(
        name: "last", summary: "whether the last evaluation is full", domain: .flag, standard: .flag(false)),
    ], exactness: .approximate, reference: "arXiv 2503.06923, eq. 5–7")

  let interval: Int
  let order: Int
  let warmup: Int
  let isPerModule: Bool
  let startsEarly: Bool
  let rule: any Extrapolation
  let abscissa: Abscissa
  let endsFull: Bool

  public init(_ values: ParameterValues) {
    (interval, order, warmup) = (values.integer("interval") ?? 1, values.integer("order") ?? 0, values.integer("warmup") ?? 1)
    isPerModule = values.choice("level") == "module"
    startsEarly = values.choice("schedule") == "hook"
    rule = values.choice("rule") == "newton" ? NewtonExtrapolation() : TaylorExtrapolation()
    abscissa = values.choice("abscissa").flatMap(Abscissa.init) ?? .evaluation
    endsFull = values.flag("last")
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    let modules = isPerModule ? try run.needModules("taylorseer") : try run.needBlocks("taylorseer")
    guard interval > 1 else { return [] }
    let actions = actions(evaluations: run.evaluations)
    guard !isPerModule else {
      return [.sites(SiteCache(method: "taylorseer", sites: modules, actions: actions, rule: rule, abscissa: abscissa))]
    }
    return [.range(RangeCache(method: "taylorseer", value: .output, actions: actions, rule: rule, abscissa: abscissa))]
  }

  /// Full while warming up, then every `interval`-th evaluation: the first time `interval` after the last of the warm-up, or one after its end.
  func actions(evaluations: Int) -> [SiteAction] {
    let offset = startsEarly ? warmup + 1 : warmup - 1 + interval
    return (0..<evaluations).map { index in
      let isFull =
        index < warmup || (index >= offset && (index - offset) % interval == 0) || (endsFull && index + 1 == evaluations)
      return isFull ? .compute : order == 0 ? .reuse : .forecast(order: order)
    }
  }
}
