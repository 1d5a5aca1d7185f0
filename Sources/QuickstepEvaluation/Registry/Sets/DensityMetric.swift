internal import QuickstepNN

/// ``ManifoldComparison/density()``.
public struct DensityMetric: ManifoldMetric {
  public static let declaration = declare(
    "density", "How densely the reference surrounds the pictures; about 1 for equal distributions.", isShare: false, neighbours: 5,
    reference: "Naeem et al. 2020, arXiv 2002.09797, equation 6")
  public let net: any FeatureNet
  public let neighbours: Int
  public init(net: any FeatureNet, neighbours: Int) { (self.net, self.neighbours) = (net, neighbours) }
  public static func estimate(_ comparison: ManifoldComparison, _ bootstrap: Bootstrap) throws -> Estimate {
    try bootstrap.mean(comparison.density())
  }
}
