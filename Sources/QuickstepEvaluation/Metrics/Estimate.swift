/// A measured mean with its confidence interval.
public struct Estimate: Sendable, Hashable, Codable {
  /// The mean.
  public var value: Double
  /// Ends of the interval.
  public var lower: Double
  /// The other end, at least `lower`.
  public var upper: Double
  /// How many values the mean is over.
  public var count: Int
  /// Probability with which the interval is meant to cover the true mean, in 0…1.
  public var confidence: Double

  /// - Parameters:
  ///   - value: the mean.
  ///   - lower: lower end of the interval.
  ///   - upper: upper end of the interval.
  ///   - count: how many values the mean is over.
  ///   - confidence: probability with which the interval is meant to cover the true mean, in 0…1.
  public init(value: Double, lower: Double, upper: Double, count: Int, confidence: Double) {
    self.value = value
    self.lower = lower
    self.upper = upper
    self.count = count
    self.confidence = confidence
  }
}
