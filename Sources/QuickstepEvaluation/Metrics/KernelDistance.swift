internal import Foundation
public import QuickstepTensor

/// Squared maximum mean discrepancy of two sets of features under the cubic kernel k(x, y) = (xᵀy/F + 1)³, its unbiased estimate (Gretton et al.
/// 2012, JMLR 13:723, equation 3; Bińkowski et al. 2018, arXiv 1801.01401, section 3).
///
/// It is the formula of the literature's kernel inception distance, which takes it in the features of one certain Inception network; in other
/// features it carries another name. Unlike the Fréchet distance its expected value does not depend on the number of pictures. It can be negative
/// where sets are alike. Both sets have to be independent: where pictures correspond pair by pair it comes out too low.
public enum KernelDistance {
  /// What ``estimate(_:_:confidence:)`` and ``subsets(_:_:count:size:seed:)`` give.
  public struct Spread: Sendable, Hashable {
    /// Mean over subsets.
    public var mean: Double
    /// Population standard deviation over subsets, as the reference programs report it. It is no error of the mean: subsets overlap.
    public var deviation: Double
    /// Pictures of each subset.
    public var size: Int
    /// One value per subset, in the order in which they were drawn.
    public var values: [Double]
  }

  /// The unbiased estimate from all pictures, with a jackknife interval (Efron & Stein 1981): every picture is left out once.
  /// - Parameters:
  ///   - first: `[N, F]`, N of at least 2.
  ///   - second: `[M, F]`, M of at least 2.
  ///   - confidence: of the interval, between 0 and 1 (exclusive).
  /// - Throws: ``EvaluationError`` for other shapes, fewer than two pictures and values that are not finite; `TensorError`.
  public static func estimate(_ first: Tensor, _ second: Tensor, confidence: Double = 0.95) throws -> Estimate {
    guard confidence > 0, confidence < 1 else { throw EvaluationError("the confidence is \(confidence); it must be between 0 and 1") }
    let (left, right) = try prepared(first, second)
    let (n, m) = (Double(left.size(0)), Double(right.size(0)))
    let within = (try rowSums(left, left, withoutDiagonal: true), try rowSums(right, right, withoutDiagonal: true))
    let across = (try rowSums(left, right), try rowSums(right, left))
    let (inLeft, inRight, between) = (within.0.reduce(0, +), within.1.reduce(0, +), across.0.reduce(0, +))
    func value(_ a: Double, _ b: Double, _ c: Double, _ n: Double, _ m: Double) -> Double {
      a / (n * (n - 1)) + b / (m * (m - 1)) - 2 * c / (n * m)
    }
    let whole = value(inLeft, inRight, between, n, m)
    guard n > 2, m > 2 else {
      return Estimate(value: whole, lower: whole, upper: whole, count: Int(n + m), confidence: confidence)
    }
    let withoutLeft = zip(within.0, across.0).map { value(inLeft - 2 * $0, inRight, between - $1, n - 1, m) }
    let withoutRight = zip(within.1, across.1).map { value(inLeft, inRight - 2 * $0, between - $1, n, m - 1) }
    let error = (jackknife(withoutLeft) + jackknife(withoutRight)).squareRoot()
    let reach = Normal.quantile(0.5 + confidence / 2) * error
    return Estimate(value: whole, lower: whole - reach, upper: whole + reach, count: Int(n + m), confidence: confidence)
  }

  /// The mean over random subsets, as torchmetrics and clean-fid take it: the same expected value as ``estimate(_:_:confidence:)``.
  /// - Parameters:
  ///   - count: subsets, at least 1.
  ///   - size: pictures of each; at most as many as the smaller set has, `nil` for 1,000 or that many.
  ///   - seed: of the drawing.
  /// - Throws: ``EvaluationError`` as there, and for subsets larger than a set.
  public static func subsets(_ first: Tensor, _ second: Tensor, count: Int = 100, size: Int? = nil, seed: UInt64 = 0) throws -> Spread {
    let (left, right) = try prepared(first, second)
    let most = min(left.size(0), right.size(0))
    let size = size ?? min(1000, most)
    guard count >= 1, (2...most).contains(size) else {
      throw EvaluationError(
        "\(count) subsets of \(size) pictures; there are \(left.size(0)) and \(right.size(0)), and 2 are needed at least")
    }
    let generator = try Generator(seed: seed)
    let values = try (0..<count).map { _ in
      let (x, y) = try withTensorErrors {
        (
          left.indexSelect(0, index: Tensor.randperm(left.size(0), generator: generator).narrow(0, start: 0, length: size)),
          right.indexSelect(0, index: Tensor.randperm(right.size(0), generator: generator).narrow(0, start: 0, length: size))
        )
      }
      let pairs = Double(size * (size - 1))
      let within = try rowSums(x, x, withoutDiagonal: true).reduce(0, +) + rowSums(y, y, withoutDiagonal: true).reduce(0, +)
      return within / pairs - 2 * (try rowSums(x, y).reduce(0, +)) / Double(size * size)
    }
    let mean = values.reduce(0, +) / Double(count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
    return Spread(mean: mean, deviation: variance.squareRoot(), size: size, values: values)
  }

  private static func prepared(_ first: Tensor, _ second: Tensor) throws -> (Tensor, Tensor) {
    try Checks.featureSets(first, second)
    return try withTensorErrors { (first.detach().to(.float64, .cpu), second.detach().to(.float64, .cpu)) }
  }

  /// Σⱼ k(xᵢ, yⱼ) for every i, in blocks that bound the memory.
  private static func rowSums(_ rows: Tensor, _ columns: Tensor, withoutDiagonal: Bool = false) throws -> [Double] {
    let features = Double(rows.size(1))
    return try Blocks.ranges(rows.size(0), columns: columns.size(0)).flatMap { range in
      try withInference {
        try withTensorErrors {
          let part = rows.narrow(0, start: range.lowerBound, length: range.count)
          let sums = (part.matmul(columns.transposed) / features + 1).pow(3).sum([1])
          return withoutDiagonal ? sums - (part.square().sum([1]) / features + 1).pow(3) : sums
        }
      }.scalars(Double.self)
    }
  }

  /// The jackknife's variance of an estimate from its values without one observation each.
  private static func jackknife(_ values: [Double]) -> Double {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    return (count - 1) / count * values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
  }
}
