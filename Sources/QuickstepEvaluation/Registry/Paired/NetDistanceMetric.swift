public import QuickstepNN
public import QuickstepTensor

/// What a ``PictureDistance`` gives; the figure carries its name.
public struct NetDistanceMetric: PairedMetric {
  public static let declaration = MetricDeclaration(
    name: "perceptual",
    summary: "How differently two pictures look to a network: LPIPS with its networks, a distance of its own name with others.",
    kind: .paired, direction: .lowerIsBetter, need: .distance, reference: "Zhang et al. 2018, arXiv 1801.03924, equation 1")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    nets.compactMap { $0 as? any PictureDistance }.map { Self(net: $0) }
  }
  let net: any PictureDistance
  public var figure: String { net.metric }
  public let procedure = "mean over pairs"
  public func values(_ pictures: Tensor, _ reference: Tensor) throws -> [Double] { try net.distances(pictures, reference, batch: 8) }
}
