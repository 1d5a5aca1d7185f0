import Foundation

/// φ_0(z) = e^z, φ_{k+1}(z) = (φ_k(z) − 1/k!)/z: the integrals of exponential integrators.
///
/// The recursion loses digits as z → 0 (about 1e-16/z^k), so that small arguments use the series Σ z^j/(j+k)!.
/// - Parameters:
///   - order: k ≥ 0.
///   - z: any number; −∞ gives the limit 0.
package func phi(_ order: Int, _ z: Double) -> Double {
  if order == 0 { return exp(z) }
  if z == -.infinity { return 0 }
  if order == 1 && abs(z) > 1e-8 { return expm1(z) / z }
  guard abs(z) >= 1 else { return phiSeries(order, z) }
  var value = expm1(z) / z
  var factorial = 1.0
  for k in 1..<order {
    factorial *= Double(k)
    value = (value - 1 / factorial) / z
  }
  return value
}

/// Σ_{j≥0} z^j/(j+k)! for |z| < 1, until the terms vanish.
private func phiSeries(_ order: Int, _ z: Double) -> Double {
  var term = 1 / (1...order).reduce(1.0) { $0 * Double($1) }
  var sum = term
  for j in 1..<40 {
    term *= z / Double(j + order)
    sum += term
    if abs(term) < 1e-17 * abs(sum) { break }
  }
  return sum
}
