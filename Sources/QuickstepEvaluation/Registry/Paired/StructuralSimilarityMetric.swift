public import QuickstepNN
public import QuickstepTensor

/// ``StructuralSimilarity``.
public struct StructuralSimilarityMetric: PairedMetric {
  public static let declaration = MetricDeclaration(
    name: "ssim", summary: "Structural similarity with Gaussian windows of 11×11.", kind: .paired, direction: .higherIsBetter,
    smallestSide: StructuralSimilarity.window, reference: "Wang et al. 2004, equation 13")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] { [Self()] }
  public let figure = "ssim"
  public let procedure = "mean over pairs"
  public func values(_ pictures: Tensor, _ reference: Tensor) throws -> [Double] { try StructuralSimilarity.values(pictures, reference) }
}
