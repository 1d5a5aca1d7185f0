public import QuickstepNN

/// ``FrechetDistance/extrapolated(_:_:points:seed:confidence:)``.
public struct FrechetInfinityMetric: SetMetric {
  public static let declaration = MetricDeclaration(
    name: "frechet-infinity", summary: "The squared Fréchet distance extrapolated to endless pictures.", kind: .set,
    direction: .lowerIsBetter,
    need: .features, smallestCount: 20, isStandard: false,
    parameters: [
      ParameterDeclaration(
        name: "points", summary: "numbers of pictures between half and all", domain: .integer(3...100), standard: .integer(10))
    ], reference: "Chong & Forsyth 2020, arXiv 1911.07023")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    nets.compactMap { $0 as? any FeatureNet }.map { Self(net: $0, points: parameters.integer("points") ?? 10) }
  }
  public let net: any FeatureNet
  let points: Int
  public var figure: String { "frechet-infinity-\(net.name)" }
  public var procedure: String { "squared, line over 1/N through \(points) numbers of pictures; the interval is that of the line" }
  public func measure(_ sets: FeatureSets, _ bootstrap: Bootstrap) throws -> SetMeasurement {
    SetMeasurement(
      try FrechetDistance.extrapolated(
        sets.pictures, try sets.referenceStatistics(), points: points, seed: bootstrap.seed, confidence: bootstrap.confidence))
  }
}
