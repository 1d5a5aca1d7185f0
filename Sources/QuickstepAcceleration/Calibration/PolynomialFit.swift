/// A polynomial through scattered points, by least squares.
public struct PolynomialFit: Sendable {
  /// Highest power first.
  public let coefficients: [Double]
  /// Share of the variance that it explains, at most 1.
  public let explained: Double

  /// - Parameters:
  ///   - points: abscissa and value.
  ///   - degree: of the polynomial.
  /// - Throws: ``AccelerationError`` for fewer points than coefficients, or abscissas that do not determine them.
  public init(_ points: [(x: Double, y: Double)], degree: Int) throws {
    guard points.count > degree, points.allSatisfy({ $0.x.isFinite && $0.y.isFinite }) else {
      throw AccelerationError("\(points.count) points are too few for a polynomial of degree \(degree), or not all of them are numbers")
    }
    // Powers of numbers up to 1, orthogonalised one after the other: the normal equations would lose half the digits.
    let scale = points.map { abs($0.x) }.max() ?? 1
    guard scale > 0 else { throw AccelerationError("all abscissas of a fit are 0") }
    var basis: [(values: [Double], powers: [Double])] = []
    for power in 0...degree {
      var powers = [Double](repeating: 0, count: degree + 1)
      powers[power] = 1
      var values = points.map { point in (0..<power).reduce(1.0) { product, _ in product * point.x / scale } }
      let size = Self.dot(values, values)
      for _ in 0..<2 {
        for known in basis {
          let share = Self.dot(known.values, values)
          for index in values.indices { values[index] -= share * known.values[index] }
          for index in powers.indices { powers[index] -= share * known.powers[index] }
        }
      }
      let length = Self.dot(values, values).squareRoot()
      guard length > 1e-12 * size.squareRoot() else {
        throw AccelerationError("the points of a fit do not determine a polynomial of degree \(degree)")
      }
      basis.append((values.map { $0 / length }, powers.map { $0 / length }))
    }
    let targets = points.map(\.y)
    var scaled = [Double](repeating: 0, count: degree + 1)
    for known in basis {
      let share = Self.dot(known.values, targets)
      for index in scaled.indices { scaled[index] += share * known.powers[index] }
    }
    let found = scaled.indices.map { index in (0..<index).reduce(scaled[index]) { value, _ in value / scale } }
    coefficients = found.reversed()
    let mean = targets.reduce(0, +) / Double(targets.count)
    let whole = targets.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let rest = points.reduce(0) { sum, point in
      let gap = point.y - found.reversed().reduce(0) { $0 * point.x + $1 }
      return sum + gap * gap
    }
    explained = whole > 0 ? 1 - rest / whole : 1
  }

  private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
}
