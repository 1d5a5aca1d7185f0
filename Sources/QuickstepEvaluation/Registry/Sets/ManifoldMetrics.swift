public import QuickstepNN

/// What the four figures of neighbourhoods have in common.
public protocol ManifoldMetric: SetMetric {
  /// k.
  var neighbours: Int { get }
  /// The figure's value and interval.
  static func estimate(_ comparison: ManifoldComparison, _ bootstrap: Bootstrap) throws -> Estimate
  init(net: any FeatureNet, neighbours: Int)
}

extension ManifoldMetric {
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    nets.compactMap { $0 as? any FeatureNet }.map { Self(net: $0, neighbours: parameters.integer("k") ?? 3) }
  }
  public var figure: String { "\(Self.declaration.name)-\(net.name)" }
  public var procedure: String { "k = \(neighbours); the interval takes both sets' regions as given" }
  public var demands: MetricDeclaration {
    var declaration = Self.declaration
    declaration.smallestCount = neighbours + 1
    return declaration
  }
  public func measure(_ sets: FeatureSets, _ bootstrap: Bootstrap) throws -> SetMeasurement {
    SetMeasurement(try Self.estimate(sets.manifolds(neighbours: neighbours), bootstrap))
  }

  /// What the declarations share.
  static func declare(_ name: String, _ summary: String, isShare: Bool = true, neighbours: Int, reference: String) -> MetricDeclaration {
    MetricDeclaration(
      name: name, summary: summary, kind: .set, direction: .higherIsBetter, need: .features, smallestCount: neighbours + 1,
      isShare: isShare,
      parameters: [
        ParameterDeclaration(
          name: "k", summary: "neighbours that make a picture's ball", domain: .integer(1...1000), standard: .integer(neighbours))
      ], reference: reference)
  }
}
