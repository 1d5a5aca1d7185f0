public import QuickstepNN
internal import QuickstepTensor

/// ``FrechetDistance``, squared.
public struct FrechetMetric: SetMetric {
  public static let declaration = MetricDeclaration(
    name: "frechet", summary: "Squared Fréchet distance between Gaussians fitted to the features of both sets (FID's formula).", kind: .set,
    direction: .lowerIsBetter, need: .features, smallestCount: 2, reference: "Dowson & Landau 1982; Heusel et al. 2017, arXiv 1706.08500")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    nets.compactMap { $0 as? any FeatureNet }.map { Self(net: $0) }
  }
  public let net: any FeatureNet
  public var figure: String { "frechet-\(net.name)" }
  public let procedure = "squared; few pictures make it too large: compare equal numbers only"
  public func measure(_ sets: FeatureSets, _ bootstrap: Bootstrap) throws -> SetMeasurement {
    let count = sets.pictures.size(0)
    let isSingular = count <= sets.pictures.size(1)
    return SetMeasurement(
      try FrechetDistance.squared(try GaussianStatistics(features: sets.pictures), try sets.referenceStatistics()),
      note: isSingular ? "no more pictures than its \(sets.pictures.size(1)) features, so mostly bias" : "")
  }
}
