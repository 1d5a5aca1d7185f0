internal import QuickstepNN

/// ``ManifoldComparison/precision()``.
public struct PrecisionMetric: ManifoldMetric {
  public static let declaration = declare(
    "precision", "Share of pictures that lie where the reference does.", neighbours: 3,
    reference: "Kynkäänniemi et al. 2019, arXiv 1904.06991, equation 2")
  public let net: any FeatureNet
  public let neighbours: Int
  public init(net: any FeatureNet, neighbours: Int) { (self.net, self.neighbours) = (net, neighbours) }
  public static func estimate(_ comparison: ManifoldComparison, _ bootstrap: Bootstrap) throws -> Estimate {
    try bootstrap.share(comparison.precision())
  }
}
