import Foundation

/// The beta distribution on 0…1 with positive shapes a and b.
package struct BetaDistribution: Sendable {
  let a: Double
  let b: Double

  package init(a: Double, b: Double) { (self.a, self.b) = (a, b) }

  /// The x below which the share p of the distribution lies, by bisection to the last bit.
  /// - Parameter p: 0…1.
  package func quantile(_ p: Double) -> Double {
    if p <= 0 { return 0 }
    if p >= 1 { return 1 }
    if a == b, p == 0.5 { return 0.5 }
    // The smaller tail is the one that can be computed without cancellation.
    if p > 0.5 { return 1 - BetaDistribution(a: b, b: a).lower(1 - p) }
    return lower(p)
  }

  private func lower(_ p: Double) -> Double {
    var (low, high) = (0.0, 1.0)
    for _ in 0..<1100 {
      let middle = 0.5 * (low + high)
      if middle == low || middle == high { break }
      if share(below: middle) < p { low = middle } else { high = middle }
    }
    return 0.5 * (low + high)
  }

  /// The regularised incomplete beta function I_x(a, b).
  package func share(below x: Double) -> Double {
    if x <= 0 { return 0 }
    if x >= 1 { return 1 }
    let scale = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    // The fraction converges fast below the mean; above it the other tail is computed.
    return x < (a + 1) / (a + b + 2)
      ? scale * fraction(x) / a : 1 - scale * BetaDistribution(a: b, b: a).fraction(1 - x) / b
  }

  /// Lentz's evaluation of the continued fraction (Abramowitz and Stegun, 26.5.8).
  private func fraction(_ x: Double) -> Double {
    func away(_ value: Double) -> Double { abs(value) < 1e-300 ? 1e-300 : value }
    var c = 1.0
    var d = 1 / away(1 - (a + b) * x / (a + 1))
    var result = d
    for step in 1...500 {
      let m = Double(step)
      let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
      d = 1 / away(1 + even * d)
      c = away(1 + even / c)
      result *= d * c
      let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      d = 1 / away(1 + odd * d)
      c = away(1 + odd / c)
      result *= d * c
      if abs(d * c - 1) < 1e-16 { break }
    }
    return result
  }
}
