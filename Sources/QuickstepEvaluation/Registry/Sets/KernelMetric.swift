internal import Foundation
public import QuickstepNN
internal import QuickstepTensor

/// ``KernelDistance``.
public struct KernelMetric: SetMetric {
  public static let declaration = MetricDeclaration(
    name: "kernel", summary: "Squared maximum mean discrepancy under a cubic kernel, unbiased (KID's formula).", kind: .set,
    direction: .lowerIsBetter, need: .features, smallestCount: 2,
    parameters: [
      ParameterDeclaration(
        name: "subsets", summary: "random subsets whose spread is told", domain: .integer(1...10_000), standard: .integer(100)),
      ParameterDeclaration(
        name: "size", summary: "pictures of each, at most as many as there are", domain: .integer(2...100_000), standard: .integer(1000)),
    ], reference: "Bińkowski et al. 2018, arXiv 1801.01401; Gretton et al. 2012, equation 3")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    nets.compactMap { $0 as? any FeatureNet }.map {
      Self(net: $0, subsets: parameters.integer("subsets") ?? 100, size: parameters.integer("size") ?? 1000)
    }
  }
  public let net: any FeatureNet
  let subsets: Int
  let size: Int
  public var figure: String { "kernel-\(net.name)" }
  public let procedure = "unbiased, all pictures; jackknife interval"
  public func measure(_ sets: FeatureSets, _ bootstrap: Bootstrap) throws -> SetMeasurement {
    let size = min(size, sets.pictures.size(0), sets.reference.size(0))
    let spread = try KernelDistance.subsets(sets.pictures, sets.reference, count: subsets, size: size, seed: bootstrap.seed)
    return SetMeasurement(
      try KernelDistance.estimate(sets.pictures, sets.reference, confidence: bootstrap.confidence),
      note: String(format: "over %d subsets of %d: %.4g ± %.2g", subsets, size, spread.mean, spread.deviation))
  }
}
