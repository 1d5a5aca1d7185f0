internal import Foundation

/// The standard normal distribution.
enum Normal {
  /// P(Z ≤ x).
  static func cumulative(_ x: Double) -> Double { erfc(-x / 2.squareRoot()) / 2 }

  /// The x with P(Z ≤ x) = p, by bisection: exact to rounding and called a few times only.
  static func quantile(_ p: Double) -> Double {
    var (low, high) = (-40.0, 40.0)
    for _ in 0..<200 {
      let middle = (low + high) / 2
      if cumulative(middle) < p { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}
