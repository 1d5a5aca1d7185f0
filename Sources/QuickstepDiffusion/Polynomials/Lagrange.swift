/// A polynomial in one variable, Σ coefficients[k]·xᵏ.
struct Polynomial: Hashable, Sendable {
  /// From the constant up; never empty.
  private(set) var coefficients: [Double]

  /// - Parameter coefficients: from the constant up; none stand for 0.
  init(_ coefficients: [Double]) { self.coefficients = coefficients.isEmpty ? [0] : coefficients }

  /// The Lagrange polynomial that is 1 at one node and 0 at the others.
  /// - Parameters:
  ///   - nodes: distinct numbers.
  ///   - index: the node at which it is 1.
  init(nodes: [Double], oneAt index: Int) {
    var product = Polynomial([1])
    for (other, node) in nodes.enumerated() where other != index {
      product = product.timesLinear(root: node, scale: 1 / (nodes[index] - node))
    }
    self = product
  }

  /// The value at x, by Horner's rule.
  func callAsFunction(_ x: Double) -> Double { coefficients.reversed().reduce(0) { $0 * x + $1 } }

  /// The k-th derivative at 0, k!·coefficients[k].
  func derivativeAtZero(_ order: Int) -> Double {
    guard order < coefficients.count else { return 0 }
    return coefficients[order] * (0..<order).reduce(1.0) { $0 * Double($1 + 1) }
  }

  /// ∫ from `start` to `end`.
  func integral(from start: Double, to end: Double) -> Double {
    let primitive = Polynomial([0] + coefficients.enumerated().map { $1 / Double($0 + 1) })
    return primitive(end) - primitive(start)
  }

  /// scale·(x − root)·self.
  private func timesLinear(root: Double, scale: Double) -> Polynomial {
    var product = [Double](repeating: 0, count: coefficients.count + 1)
    for (power, value) in coefficients.enumerated() {
      product[power] -= scale * root * value
      product[power + 1] += scale * value
    }
    return Polynomial(product)
  }
}
