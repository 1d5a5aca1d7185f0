/// ∫ f over an interval by 8-point Gauss–Legendre quadrature on equal pieces: exact for polynomials of degree 15 in each.
/// - Parameters:
///   - start: where the integral begins.
///   - end: where it ends; may lie below `start`.
///   - pieces: number of equal pieces, for integrands that change fast or have kinks.
package func integral(from start: Double, to end: Double, pieces: Int = 16, _ f: (Double) throws -> Double) rethrows -> Double {
  // Abramowitz and Stegun, table 25.4.
  let points: [(node: Double, weight: Double)] = [
    (0.1834346424956498, 0.3626837833783620), (0.5255324099163290, 0.3137066458778873),
    (0.7966664774136267, 0.2223810344533745), (0.9602898564975363, 0.1012285362903763),
  ]
  let half = (end - start) / Double(2 * pieces)
  var sum = 0.0
  for piece in 0..<pieces {
    let middle = start + half * Double(2 * piece + 1)
    for (node, weight) in points { sum += weight * (try f(middle - half * node) + f(middle + half * node)) }
  }
  return half * sum
}
