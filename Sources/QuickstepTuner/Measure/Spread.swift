/// Median of measured values and where their middle lies: half of them, where nothing else is said.
public struct Spread: Sendable, Codable, Hashable {
  /// The value in the middle; NaN without any.
  public var median: Double
  /// As many values lie below as above ``upper``: a quarter, around the middle half.
  public var lower: Double
  /// The other end of the middle.
  public var upper: Double
  /// How many there are.
  public var count: Int

  /// - Parameters:
  ///   - values: in any order.
  ///   - middle: the share of them between ``lower`` and ``upper``, in 0…1.
  public init(_ values: [Double], middle: Double = 0.5) {
    let (sorted, tail) = (values.sorted(), (1 - middle) / 2)
    (median, lower, upper) = (Self.quantile(sorted, 0.5), Self.quantile(sorted, tail), Self.quantile(sorted, 1 - tail))
    count = values.count
  }

  /// Between the nearest of rising values; NaN without any.
  static func quantile(_ sorted: [Double], _ share: Double) -> Double {
    guard let last = sorted.indices.last else { return .nan }
    let place = share * Double(last)
    let low = Int(place)
    return sorted[low] + (place - Double(low)) * (sorted[min(last, low + 1)] - sorted[low])
  }
}
