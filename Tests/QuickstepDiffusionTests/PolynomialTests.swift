import Foundation
import QuickstepDiffusion
import Testing

@Suite struct PolynomialTests {
  /// φ_k(z) = ∫₀¹ e^{(1−θ)z}·θ^{k−1}/(k−1)! dθ, on both sides of where the series ends and far from it.
  @Test(arguments: [-20.0, -3, -1.0001, -0.9999, -0.1, -1e-3, -1e-9, 0, 1e-6, 0.02, 0.5, 1, 4])
  func phiIsItsIntegral(_ z: Double) {
    for order in 1...6 {
      let factorial = (1..<max(order, 2)).reduce(1.0) { $0 * Double($1) }
      let expected = integral(from: 0, to: 1, pieces: 40) { exp((1 - $0) * z) * pow($0, Double(order - 1)) / factorial }
      #expect(abs(phi(order, z) - expected) <= 1e-12 * abs(expected), "φ_\(order)(\(z)) is \(phi(order, z)), not \(expected)")
    }
  }

  @Test func quadratureIsExactForPolynomials() {
    let found = integral(from: -0.7, to: 1.9, pieces: 1) { pow($0, 15) - 3 * pow($0, 4) }
    let expected = (pow(1.9, 16) - pow(-0.7, 16)) / 16 - 0.6 * (pow(1.9, 5) + pow(0.7, 5))
    #expect(abs(found - expected) < 1e-12 * abs(expected))
  }

  /// Through n points besides the first, every derivative of a polynomial of degree n is found.
  @Test(arguments: [[-0.3], [-0.3, -1.1], [0.4, -0.7], [1, -0.2, -0.9], [0.5, 1, -1, -2.5]])
  func stencilsAreExactForPolynomials(_ offsets: [Double]) {
    let coefficients = [0.3, -1.2, 0.7, 2.1, -0.4].prefix(offsets.count + 1)
    func f(_ x: Double) -> Double { coefficients.reversed().reduce(0) { $0 * x + $1 } }
    var factorial = 1.0
    for order in 1...offsets.count {
      factorial *= Double(order)
      let weights = derivativeStencil(order, offsets: offsets)
      let found = zip(weights, offsets).reduce(0) { $0 + $1.0 * (f($1.1) - f(0)) }
      #expect(abs(found - factorial * coefficients[order]) < 1e-12)
    }
  }

  /// Weights for points close together: one interval of 1e-5 beside one of 1.
  @Test func stencilsKeepTheirDigits() {
    let offsets = [-1e-5, -1.0]
    let weights = derivativeStencil(1, offsets: offsets)
    let found = zip(weights, offsets).reduce(0) { $0 + $1.0 * expm1($1.1) }
    #expect(abs(found - 1) < 1e-5)
  }

  @Test func linearFormsAddUp() {
    let (x, m) = (LinearForm(.state(0)), LinearForm(.denoised(0)))
    let noise = 2 * x - 0.5 * m
    let sum = 3 * noise + m - x
    #expect(sum.terms.map(\.register) == [.state(0), .denoised(0)])
    #expect(sum.terms.map(\.coefficient) == [5, -0.5])
    #expect((x - x).terms.map(\.coefficient) == [0])
    #expect(LinearForm().terms.isEmpty)
  }

  /// The list of the paper's section 3.4: all evaluations are used, and each rest has its end.
  @Test func singlestepBlocks() {
    for evaluations in 1...30 {
      for order in 1...3 {
        let official = SinglestepOrders.official(evaluations: evaluations, order: order)
        #expect(official.reduce(0, +) == evaluations && official.allSatisfy { $0 >= 1 && $0 <= order })
        #expect(SinglestepOrders.loweredAtEnd(evaluations: evaluations, order: order).reduce(0, +) == evaluations)
        #expect(SinglestepOrders.fixed(evaluations: evaluations, order: order).reduce(0, +) == evaluations)
        if order == 3 { #expect(official.count == evaluations / 3 + 1) }
      }
    }
    #expect(SinglestepOrders.official(evaluations: 12, order: 3) == [3, 3, 3, 2, 1])
    #expect(SinglestepOrders.official(evaluations: 10, order: 3) == [3, 3, 3, 1])
    #expect(SinglestepOrders.official(evaluations: 11, order: 3) == [3, 3, 3, 2])
    #expect(SinglestepOrders.official(evaluations: 5, order: 2) == [2, 2, 1])
    #expect(SinglestepOrders.loweredAtEnd(evaluations: 6, order: 2) == [2, 2, 1, 1])
    #expect(SinglestepOrders.fixed(evaluations: 8, order: 3) == [3, 3, 2])
  }
}
