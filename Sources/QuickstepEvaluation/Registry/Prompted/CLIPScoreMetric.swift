public import QuickstepNN
public import QuickstepTensor

/// How well pictures fit their prompts: 100 times the cosine of CLIP's embeddings, the mean cut off at 0 as torchmetrics does.
public struct CLIPScoreMetric: PromptMetric {
  public static let declaration = MetricDeclaration(
    name: "clip-score", summary: "How well pictures fit their prompts to CLIP: 100 times the cosine, at least 0.", kind: .prompted,
    direction: .higherIsBetter, need: .texts, reference: "Hessel et al. 2021, arXiv 2104.08718, with torchmetrics' factor of 100")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    nets.compactMap { $0 as? any TextPictureNet }.map { Self(net: $0) }
  }
  let net: any TextPictureNet
  public var figure: String { "clip-score-\(net.name)" }
  public let procedure = "mean over pictures"
  public func values(_ pictures: Tensor, prompts: [String]) throws -> [Double] {
    try net.cosines(pictures, texts: prompts).map { 100 * $0 }
  }
  public func summarised(_ mean: Double) -> Double { max(0, mean) }
  public func note(_ prompts: [String]) -> String {
    let cut = Set(net.cut(prompts)).sorted()
    guard let first = cut.first else { return "" }
    return "\(cut.count) of \(Set(prompts).count) prompts are longer than \(net.name) reads, such as '\(first.prefix(40))…'"
  }
}
