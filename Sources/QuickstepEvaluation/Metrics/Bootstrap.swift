internal import Foundation
internal import QuickstepTensor

/// Confidence intervals by resampling what was measured (Efron 1979), percentile method.
///
/// Values that belong together (several pictures of one thing) are not independent: pretending that they are makes the interval too
/// narrow. Give their group numbers and whole groups are drawn (cluster bootstrap; Davison & Hinkley 1997, section 3.8).
///
/// Limits: with fewer than about 20 groups the percentile interval is too narrow; where all values are equal it has no width at all
/// (``share(_:groups:)`` mends that for shares).
public struct Bootstrap: Sendable, Hashable {
  /// Number of resamples. The ends of the interval vary by about 2 % of its width at 2,000.
  public var resamples: Int
  /// Probability that the interval is meant to cover the true mean, between 0 and 1 (exclusive).
  public var confidence: Double
  /// The same seed and values give the same interval.
  public var seed: UInt64

  /// Ranges are checked when a mean is taken.
  /// - Parameters:
  ///   - resamples: at least 10.
  ///   - confidence: between 0 and 1 (exclusive).
  ///   - seed: of the resampling.
  public init(resamples: Int = 2000, confidence: Double = 0.95, seed: UInt64 = 0) {
    self.resamples = resamples
    self.confidence = confidence
    self.seed = seed
  }

  /// The mean of `values` and its interval.
  /// - Parameter groups: for each value which group it belongs to; by default every value is a group of its own.
  /// - Throws: ``EvaluationError`` when there are no values, one is not finite, or the settings are out of range.
  public func mean(_ values: [Double], groups: [Int]? = nil) throws -> Estimate {
    guard !values.isEmpty else { throw EvaluationError("there are no values to take the mean of") }
    guard values.allSatisfy(\.isFinite) else { throw EvaluationError("the values hold numbers that are not finite (NaN or infinity)") }
    try checkSettings()
    let (sums, counts) = try Self.collected(values, groups)
    let means = try resampledMeans(sums, counts).sorted()
    let tail = (1 - confidence) / 2
    return Estimate(
      value: values.reduce(0, +) / Double(values.count), lower: Self.quantile(tail, of: means), upper: Self.quantile(1 - tail, of: means),
      count: values.count, confidence: confidence)
  }

  func checkSettings() throws {
    guard resamples >= 10, confidence > 0, confidence < 1 else {
      throw EvaluationError("\(resamples) resamples at confidence \(confidence); at least 10, and a confidence between 0 and 1, are needed")
    }
  }

  /// The share of `hits` that are true and its interval; see ``mean(_:groups:)``.
  ///
  /// Where all or none are true, resampling knows no doubt, so the interval is the exact one of Clopper & Pearson (1934) with every
  /// group counted as one trial: none of n groups still allows shares up to 1 − ((1 − confidence)/2)^(1/n).
  public func share(_ hits: [Bool], groups: [Int]? = nil) throws -> Estimate {
    var estimate = try mean(hits.map { $0 ? 1 : 0 }, groups: groups)
    guard Set(hits).count == 1 else { return estimate }
    let trials = Double(groups.map { Set($0).count } ?? hits.count)
    let bound = pow((1 - confidence) / 2, 1 / trials)
    if hits[0] { estimate.lower = bound } else { estimate.upper = 1 - bound }
    return estimate
  }

  /// Sum and number of values of each group, in the order in which groups appear.
  private static func collected(_ values: [Double], _ groups: [Int]?) throws -> (sums: [Double], counts: [Double]) {
    guard let groups else { return (values, Array(repeating: 1, count: values.count)) }
    guard groups.count == values.count else { throw EvaluationError("\(values.count) values and \(groups.count) group numbers") }
    var places: [Int: Int] = [:]
    var sums: [Double] = []
    var counts: [Double] = []
    for (value, group) in zip(values, groups) {
      let place = places[group] ?? sums.count
      if place == sums.count {
        places[group] = place
        sums.append(0)
        counts.append(0)
      }
      sums[place] += value
      counts[place] += 1
    }
    return (sums, counts)
  }

  /// Means of resamples of whole groups. Drawn in blocks, which bounds the memory for many groups.
  private func resampledMeans(_ sums: [Double], _ counts: [Double]) throws -> [Double] {
    let generator = try Generator(seed: seed)
    let size = sums.count
    let block = max(1, min(resamples, (1 << 20) / size))
    let (sumTensor, countTensor) = try withTensorErrors { (Tensor(sums), Tensor(counts)) }
    var result: [Double] = []
    for start in stride(from: 0, to: resamples, by: block) {
      let length = min(block, resamples - start)
      result += try withTensorErrors {
        let drawn = Tensor.randint(0, high: size, size: [length * size], generator: generator)
        let total = sumTensor.indexSelect(0, index: drawn).reshape([length, size]).sum([1])
        return total / countTensor.indexSelect(0, index: drawn).reshape([length, size]).sum([1])
      }.scalars(Double.self)
    }
    return result
  }

  /// Linear between neighbours, as numpy's default.
  static func quantile(_ fraction: Double, of sorted: [Double]) -> Double {
    let position = fraction * Double(sorted.count - 1)
    let below = min(sorted.count - 1, Int(position))
    let above = min(sorted.count - 1, below + 1)
    return sorted[below] + (position - Double(below)) * (sorted[above] - sorted[below])
  }
}
