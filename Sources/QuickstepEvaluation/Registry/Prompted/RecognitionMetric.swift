public import QuickstepNN
public import QuickstepTensor

/// The share of pictures in which a trained classifier sees what was asked for.
public struct RecognitionMetric: PromptMetric {
  public static let declaration = MetricDeclaration(
    name: "recognition", summary: "Share of pictures in which a classifier sees the thing that the prompt names.", kind: .prompted,
    direction: .higherIsBetter, need: .recognition, isShare: true,
    parameters: [
      ParameterDeclaration(
        name: "first", summary: "how many of the classifier's likeliest things count", domain: .integer(1...1000), standard: .integer(1))
    ],
    reference: "classification accuracy score (Ravuri & Vinyals 2019) the other way round: a classifier of real pictures judges made ones")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    let first = parameters.integer("first") ?? 1
    return nets.compactMap { $0 as? any RecognisingNet }.map { Self(net: $0, first: first) }
  }
  let net: any RecognisingNet
  let first: Int
  public var figure: String { (first == 1 ? "recognition" : "recognition-top-\(first)") + "-\(net.name)" }
  public let procedure = "mean over pictures"
  public func values(_ pictures: Tensor, prompts: [String]) throws -> [Double] {
    try net.ranks(Self.fitted(pictures, to: net.channels), prompts: prompts).map { $0 <= first ? 1 : 0 }
  }

  /// Metrics get three channels; nets of grey pictures see their mean.
  private static func fitted(_ pictures: Tensor, to channels: Int) throws -> Tensor {
    channels == 1 && pictures.rank == 4 && pictures.size(1) == 3 ? try withTensorErrors { pictures.mean([1], keepdim: true) } : pictures
  }
}
