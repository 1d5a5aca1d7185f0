internal import Foundation
internal import QuickstepTensor

/// Which values of a metric are the better ones.
public enum MetricDirection: String, Sendable, Hashable, Codable, CaseIterable {
  /// Similarities, accuracies.
  case higherIsBetter = "higher"
  /// Distances.
  case lowerIsBetter = "lower"

  /// `loss` in units of the metric: how much worse `candidate` is than `baseline`; negative when it is better.
  public func loss(candidate: Double, baseline: Double) -> Double { self == .higherIsBetter ? baseline - candidate : candidate - baseline }
}

/// Two runs measured on the same things (prompts and seeds): how much worse the candidate is than the baseline, and whether that can be told
/// from chance.
///
/// Pairing takes out what differs between prompts, which is usually most of the spread. Several pictures of one prompt belong together: give their
/// group numbers and all resampling is of whole groups.
public struct PairedDifference: Sendable, Hashable {
  /// Whether the candidate loses quality.
  public enum Verdict: String, Sendable, Hashable, Codable {
    /// The interval of the loss ends below the margin: no significant loss.
    case noLoss = "no significant loss"
    /// The interval of the loss begins above the margin.
    case loss
    /// The interval holds the margin: more pictures are needed.
    case undecided
  }

  /// Loss of each pair: positive where the candidate is worse, in units of the metric.
  public let losses: [Double]
  /// Group of each pair.
  public let groups: [Int]
  private let groupSums: [Double]

  /// - Parameters:
  ///   - candidate: one value per picture.
  ///   - baseline: the values of the other run, in the same order.
  ///   - direction: which values are better.
  ///   - groups: for each pair which group it belongs to; by default every pair is a group of its own.
  /// - Throws: ``EvaluationError`` for no pairs, unequal counts and values that are not finite.
  public init(candidate: [Double], baseline: [Double], direction: MetricDirection, groups: [Int]? = nil) throws {
    guard candidate.count == baseline.count, !candidate.isEmpty else {
      throw EvaluationError("\(candidate.count) values of the candidate and \(baseline.count) of the baseline are no pairs")
    }
    guard candidate.allSatisfy(\.isFinite), baseline.allSatisfy(\.isFinite) else {
      throw EvaluationError("the values hold numbers that are not finite (NaN or infinity)")
    }
    let groups = groups ?? Array(candidate.indices)
    guard groups.count == candidate.count else { throw EvaluationError("\(candidate.count) pairs and \(groups.count) group numbers") }
    losses = zip(candidate, baseline).map { direction.loss(candidate: $0, baseline: $1) }
    self.groups = groups
    var sums: [Int: Double] = [:]
    for (group, loss) in zip(groups, losses) { sums[group, default: 0] += loss }
    groupSums = sums.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Mean loss with its interval, by the paired bootstrap.
  /// - Throws: ``EvaluationError`` when the bootstrap's settings are out of range.
  public func estimate(_ bootstrap: Bootstrap = Bootstrap()) throws -> Estimate { try bootstrap.mean(losses, groups: groups) }

  /// Whether the candidate loses more than `margin`, by the interval of ``estimate(_:)`` (a test of non-inferiority: Schuirmann 1987). At a
  /// confidence of 95 % a true loss of just the margin is called ``Verdict/noLoss`` in about 2.5 % of all comparisons.
  /// - Parameter margin: the loss that is put up with, in units of the metric; 0 or more. It has to be declared before looking.
  /// - Throws: ``EvaluationError`` for a negative margin; as ``estimate(_:)``.
  public func verdict(margin: Double, _ bootstrap: Bootstrap = Bootstrap()) throws -> Verdict {
    guard margin >= 0, margin.isFinite else { throw EvaluationError("the margin is \(margin); it must be 0 or larger") }
    let estimate = try estimate(bootstrap)
    if estimate.upper <= margin { return .noLoss }
    return estimate.lower > margin ? .loss : .undecided
  }

  /// Two-sided p of the sign test over groups: how often as uneven a split of better and worse, or a more uneven one, comes by chance (exact
  /// binomial). Groups without difference do not count; without any the answer is 1.
  public var signTest: Double {
    let signs = groupSums.filter { $0 != 0 }
    let worse = signs.count { $0 > 0 }
    let fewer = min(worse, signs.count - worse)
    // Sum of C(n, k)/2ⁿ in logarithms, since 2ⁿ overflows.
    let count = Double(signs.count)
    var tail = 0.0
    for below in 0...fewer {
      let logarithm = lgamma(count + 1) - lgamma(Double(below) + 1) - lgamma(count - Double(below) + 1)
      tail += exp(logarithm - count * log(2.0))
    }
    return min(1, 2 * tail)
  }

  /// One-sided p of the permutation test: how often a loss as large as the measured one, or larger, comes about when candidate and baseline of
  /// each group are exchanged at random. All exchanges are tried where there are no more than `permutations`; otherwise that many are drawn and
  /// the measured one is counted among them (Phipson & Smyth 2010), so that p is never 0.
  /// - Parameters:
  ///   - margin: loss that is put up with; what is tested is the loss beyond it.
  ///   - permutations: at least 100.
  ///   - seed: of the drawing.
  /// - Throws: ``EvaluationError`` for fewer permutations and margins that are not finite; `TensorError`.
  public func permutationTest(margin: Double = 0, permutations: Int = 10_000, seed: UInt64 = 0) throws -> Double {
    guard permutations >= 100, margin.isFinite else {
      throw EvaluationError("\(permutations) permutations and a margin of \(margin); at least 100 and a finite margin are needed")
    }
    var sizes: [Int: Double] = [:]
    for group in groups { sizes[group, default: 0] += 1 }
    let sums = zip(groupSums, sizes.sorted { $0.key < $1.key }).map { $0 - margin * $1.value }
    let measured = sums.reduce(0, +)
    // Rounding must not decide between equal sums.
    let limit = measured - 1e-12 * sums.reduce(0) { $0 + abs($1) }
    if sums.count < 30, 1 << sums.count <= permutations {
      let reached = (0..<(1 << sums.count)).count { Self.exchanged(sums, pattern: $0) >= limit }
      return Double(reached) / Double(1 << sums.count)
    }
    var reached = 1
    let generator = try Generator(seed: seed)
    let values = try withTensorErrors { Tensor(sums, shape: [sums.count, 1]) }
    for block in Blocks.ranges(permutations, columns: sums.count) {
      reached += try withTensorErrors {
        let signs = Tensor.randint(0, high: 2, size: [block.count, sums.count], generator: generator).to(.float64) * 2 - 1
        return signs.matmul(values).reshape([-1])
      }.scalars(Double.self).count { $0 >= limit }
    }
    return Double(reached) / Double(permutations + 1)
  }

  /// The sum with the other sign wherever `pattern` has a 1.
  private static func exchanged(_ sums: [Double], pattern: Int) -> Double {
    var total = 0.0
    for (place, sum) in sums.enumerated() { total += pattern >> place & 1 == 0 ? sum : -sum }
    return total
  }
}
