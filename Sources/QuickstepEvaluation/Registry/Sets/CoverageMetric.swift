internal import QuickstepNN

/// ``ManifoldComparison/coverage()``.
public struct CoverageMetric: ManifoldMetric {
  public static let declaration = declare(
    "coverage", "Share of the reference with a picture in its neighbourhood.", neighbours: 5,
    reference: "Naeem et al. 2020, arXiv 2002.09797, equation 7")
  public let net: any FeatureNet
  public let neighbours: Int
  public init(net: any FeatureNet, neighbours: Int) { (self.net, self.neighbours) = (net, neighbours) }
  public static func estimate(_ comparison: ManifoldComparison, _ bootstrap: Bootstrap) throws -> Estimate {
    try bootstrap.share(comparison.coverage())
  }
}
