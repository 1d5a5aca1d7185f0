import Foundation

/// What chains of ``DenoisingChains`` did: the noise level of every chain after every step.
public struct ChainRecord: Sendable, Hashable {
  /// σ/α, step after step, of every chain.
  public private(set) var sigmas: [[Double]] = []
  /// Moves of a chain's σ that raised it, and that lowered it.
  public private(set) var raised = 0, lowered = 0
  /// Moves that a bound on the change cut short.
  public private(set) var clamped = 0

  /// No steps.
  public init() {}

  /// Steps of all chains together.
  public var moves: Int { sigmas.reduce(0) { $0 + $1.count } }

  mutating func add(_ after: [Double], before: [Double], free: [Double]) {
    if sigmas.isEmpty { sigmas = Array(repeating: [], count: after.count) }
    for (index, sigma) in after.enumerated() {
      sigmas[index].append(sigma)
      if sigma > before[index] { raised += 1 }
      if sigma < before[index] { lowered += 1 }
      if sigma != free[index] { clamped += 1 }
    }
  }

  /// Adds chains that ran elsewhere.
  public mutating func join(_ other: ChainRecord) {
    sigmas += other.sigmas
    raised += other.raised
    lowered += other.lowered
    clamped += other.clamped
  }

  /// How often σ/α was between neighbouring bounds, which are evenly spaced in log σ over all that was seen.
  /// - Returns: `bins` counts and one bound more; empty without steps.
  public func histogram(bins: Int = 12) -> (bounds: [Double], counts: [Int]) {
    let all = sigmas.joined()
    guard let least = all.min(), let greatest = all.max(), bins >= 1 else { return ([], []) }
    let width = max(log(greatest / least), 1e-9) / Double(bins)
    var counts = Array(repeating: 0, count: bins)
    for sigma in all { counts[min(bins - 1, Int(log(sigma / least) / width))] += 1 }
    return ((0...bins).map { least * exp(Double($0) * width) }, counts)
  }

  /// Autocorrelation of log σ within chains.
  public func autocorrelation(lags: Int) -> Autocorrelation {
    Autocorrelation(series: sigmas.map { $0.map { [log($0)] } }, lags: lags)
  }
}

/// How like a chain's values are to its earlier ones, and as how many independent values they count.
///
/// ρ(l) is the mean over chains and places of ⟨v_t − m, v_{t+l} − m⟩ over that at lag 0, with m the mean over all chains of a group. The effective
/// number is N/(1 + 2·Σρ), where the sum ends with the first pair of neighbours that is not positive (Geyer 1992, initial positive sequence).
public struct Autocorrelation: Sendable, Hashable {
  /// ρ at the lags 0, 1, …; empty where nothing varies.
  public let values: [Double]
  /// Number of values of all chains, N.
  public let count: Int
  /// As how many independent ones they count; N at most.
  public let effectiveCount: Double

  /// - Parameters:
  ///   - series: of every chain a series of vectors.
  ///   - groups: which chains share a mean, one number per chain; all of them when `nil`.
  ///   - lags: the greatest lag; no more than the longest series has.
  public init(series: [[[Double]]], groups: [Int]? = nil, lags: Int) {
    let groups = groups ?? Array(repeating: 0, count: series.count)
    let means = Self.means(series, groups)
    let centred = zip(series, groups).map { chain, group in chain.map { value in zip(value, means[group] ?? []).map { $0 - $1 } } }
    count = series.reduce(0) { $0 + $1.count }
    let longest = series.map(\.count).max() ?? 0
    var products: [Double] = []
    for lag in 0...max(0, min(lags, longest - 1)) {
      var (sum, pairs) = (0.0, 0)
      for chain in centred where chain.count > lag {
        for place in 0..<(chain.count - lag) {
          sum += zip(chain[place], chain[place + lag]).reduce(0) { $0 + $1.0 * $1.1 }
          pairs += 1
        }
      }
      products.append(pairs > 0 ? sum / Double(pairs) : 0)
    }
    guard let variance = products.first, variance > 0 else {
      (values, effectiveCount) = ([], count > 0 ? 1 : 0)
      return
    }
    values = products.map { $0 / variance }
    var total = 0.0
    for first in stride(from: 1, to: values.count, by: 2) {
      let pair = values[first] + (first + 1 < values.count ? values[first + 1] : 0)
      if pair <= 0 { break }
      total += pair
    }
    effectiveCount = min(Double(count), Double(count) / (1 + 2 * total))
  }

  private static func means(_ series: [[[Double]]], _ groups: [Int]) -> [Int: [Double]] {
    var sums: [Int: (sum: [Double], count: Int)] = [:]
    for (chain, group) in zip(series, groups) {
      for value in chain {
        let before = sums[group] ?? (Array(repeating: 0, count: value.count), 0)
        sums[group] = (zip(before.sum, value).map { $0 + $1 }, before.count + 1)
      }
    }
    return sums.mapValues { entry in entry.sum.map { $0 / Double(entry.count) } }
  }
}
