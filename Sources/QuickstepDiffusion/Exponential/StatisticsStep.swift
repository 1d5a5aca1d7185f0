import Foundation
import QuickstepNN

/// A step in the basis that a model's statistics choose (DPM-Solver-v3, Zheng et al. 2023, arXiv 2310.13268, section 3.1), as a sum whose coefficients
/// differ from element to element.
struct StatisticsStep {
  /// What is known of one level.
  struct Point {
    /// The state that x_s is in the formulas: the corrected one, where there is one.
    var state: Register
    /// The state that the model saw.
    let seen: Register
    /// x̂0.
    let denoised: LinearForm
    let level: NoiseLevel
  }

  /// How one derivative is estimated: through which further points, and by what the estimate is multiplied.
  struct Estimate {
    var points: [Point]
    var factor = 1.0
  }

  let basis: ModelStatistics
  let quadrature: ModelStatistics.Quadrature

  /// x_t = (α_t/α_s)e^{−∫l}x_s − α_t·e^{−∫l}·(J_0·g_s + J_β + Σ_k E_k·g^{(k)}), all integrals from s to t.
  func form(from s: Point, to level: NoiseLevel, _ estimates: [Estimate]) -> ElementForm {
    let origin = s.level.lambda
    let whole = basis.integrals(from: origin, to: level.lambda, powers: estimates.count + 1, quadrature)
    let decay = whole.l.map { level.alpha * exp(-$0) }
    var form = ElementForm(shape: basis.shape)
    form.add(s.state, decay.map { $0 / s.level.alpha })
    form.add(rest(s, origin), scaled: zip(decay, whole.powers[0]).map { -$0 * $1 })
    form.add(.one, zip(decay, whole.shift).map { -$0 * $1 })
    for (k, estimate) in zip(1..., estimates) where estimate.points.count >= k {
      form.add(derivative(k, s, estimate), scaled: zip(decay, whole.powers[k]).map { -$0 * $1 })
    }
    return form
  }

  /// g of an evaluation for a step that begins at λ_s: e^{−∫s}·f − ∫e^{−∫s}b with f = (1 − l)/α·x − x̂0.
  private func rest(_ point: Point, _ origin: Double) -> ElementForm {
    let way = basis.integrals(from: origin, to: point.level.lambda, powers: 0, quadrature)
    let factor = way.s.map { exp(-$0) }
    var form = ElementForm(shape: basis.shape)
    form.add(point.seen, zip(factor, basis.l(at: point.level.lambda)).map { $0 * (1 - $1) / point.level.alpha })
    form.add(ElementForm(shape: basis.shape).adding(point.denoised), scaled: factor.map { -$0 })
    form.add(.one, way.b.map { -$0 })
    return form
  }

  /// g^{(k)} at s.
  private func derivative(_ k: Int, _ s: Point, _ estimate: Estimate) -> ElementForm {
    let origin = s.level.lambda
    let weights = derivativeStencil(k, offsets: estimate.points.map { $0.level.lambda - origin }).map { $0 * estimate.factor }
    var form = ElementForm(shape: basis.shape)
    for (point, weight) in zip([s] + estimate.points, [-weights.reduce(0, +)] + weights) {
      form.add(rest(point, origin), scaled: Array(repeating: weight, count: basis.size))
    }
    return form
  }
}

/// A sum of registers whose coefficients differ from element to element.
struct ElementForm {
  let shape: [Int]
  private(set) var terms: [(register: Register, coefficients: [Double])] = []

  init(shape: [Int]) { self.shape = shape }

  mutating func add(_ register: Register, _ coefficients: [Double]) {
    if let index = terms.firstIndex(where: { $0.register == register }) {
      for i in coefficients.indices { terms[index].coefficients[i] += coefficients[i] }
    } else {
      terms.append((register, coefficients))
    }
  }

  /// The sum with a form whose coefficients are numbers.
  func adding(_ form: LinearForm) -> ElementForm {
    var sum = self
    let size = shape.reduce(1, *)
    for term in form.terms { sum.add(term.register, Array(repeating: term.coefficient, count: size)) }
    return sum
  }

  mutating func add(_ form: ElementForm, scaled factors: [Double]) {
    for term in form.terms { add(term.register, zip(term.coefficients, factors).map { $0 * $1 }) }
  }
}
