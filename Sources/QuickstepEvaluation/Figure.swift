public import QuickstepFormats

/// One reported figure: what was measured, how, on how much, and how sure it is.
public struct Figure: Sendable, Hashable {
  /// What it is, with the feature net where one is involved: `emoji-retrieval-top1`, `frechet-digit-classifier`.
  public var metric: String
  /// Shares are in 0…1.
  public var value: Double
  /// Ends of the confidence interval, where there is one.
  public var interval: ClosedRange<Double>?
  /// Pictures (or pairs) it is over.
  public var count: Int
  /// How it was measured, in a few words.
  public var procedure: String
  /// Time it took to make what was measured, in seconds; measuring itself not included.
  public var seconds: Double
  /// Whether the value is a share in 0…1, shown as a percentage.
  public var isShare = false

  /// - Parameters:
  ///   - metric: what it is, with the feature net where one is involved.
  ///   - value: the figure.
  ///   - interval: ends of the confidence interval; `nil` when there is none.
  ///   - count: pictures (or pairs) it is over.
  ///   - procedure: how it was measured, in a few words.
  ///   - seconds: time it took to make what was measured.
  public init(metric: String, value: Double, interval: ClosedRange<Double>? = nil, count: Int, procedure: String, seconds: Double) {
    self.metric = metric
    self.value = value
    self.interval = interval
    self.count = count
    self.procedure = procedure
    self.seconds = seconds
  }

  /// A share with its interval.
  public init(_ metric: String, _ estimate: Estimate, procedure: String, seconds: Double) {
    let interval = estimate.lower <= estimate.upper ? estimate.lower...estimate.upper : nil
    self.init(metric: metric, value: estimate.value, interval: interval, count: estimate.count, procedure: procedure, seconds: seconds)
    isShare = true
  }

  /// An object with the keys `metric`, `value`, `interval` (two numbers or null), `count`, `protocol`, `seconds`.
  public var json: JSONValue {
    .object([
      "metric": .string(metric), "value": .number(value),
      "interval": interval.map { .array([.number($0.lowerBound), .number($0.upperBound)]) } ?? .null,
      "count": .integer(count), "protocol": .string(procedure), "seconds": .number(seconds),
    ])
  }
}
