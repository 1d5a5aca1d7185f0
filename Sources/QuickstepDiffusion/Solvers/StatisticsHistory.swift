import Foundation
import QuickstepNN

/// What DPM-Solver-v3 remembers, and its two formulas, as sums whose coefficients differ from element to element.
struct StatisticsHistory {
  private struct Entry {
    /// The state that x_s is in the formulas: the corrected one, where there is one.
    var state: Register
    /// The state that the model saw.
    let seen: Register
    let denoised: Register
    let level: NoiseLevel
  }

  private let basis: ModelStatistics
  private let quadrature: ModelStatistics.Quadrature
  private var entries: [Entry] = []

  init(basis: ModelStatistics, quadrature: ModelStatistics.Quadrature) {
    self.basis = basis
    self.quadrature = quadrature
  }

  var count: Int { entries.count }

  mutating func append(state: Register, denoised: Register, level: NoiseLevel) {
    entries.append(Entry(state: state, seen: state, denoised: denoised, level: level))
  }

  /// The newest state was corrected; its N is kept, only the linear part changes.
  mutating func replaceState(_ state: Register) { entries[entries.count - 1].state = state }

  /// The step from the newest state to a level, by the newest `order` evaluations.
  func predicted(to level: NoiseLevel, order: Int, pseudo: Bool) -> ElementForm {
    let newest = entries.count - 1
    return step(from: newest, to: level, others: (1..<max(order, 1)).map { newest - $0 }, pseudo: pseudo)
  }

  /// The newest state made again from the one before, with the evaluation at it: the points are s, t, then older ones.
  func corrected(order: Int, pseudo: Bool) -> ElementForm {
    let (start, end) = (entries.count - 2, entries.count - 1)
    let older = (2..<max(order, 2)).map { end - $0 }
    return step(from: start, to: entries[end].level, others: [end] + older.filter { $0 >= 0 }, pseudo: pseudo)
  }

  /// x_t = (α_t/α_s)e^{−∫l}x_s − α_t·e^{−∫l}·(J_0·g_s + J_β + Σ_k E_k·g^{(k)}), all integrals from s to t.
  private func step(from start: Int, to level: NoiseLevel, others: [Int], pseudo: Bool) -> ElementForm {
    let s = entries[start]
    let origin = s.level.lambda
    let whole = basis.integrals(from: origin, to: level.lambda, powers: others.count + 1, quadrature)
    let decay = whole.l.map { level.alpha * exp(-$0) }
    var form = ElementForm(shape: basis.shape)
    form.add(s.state, decay.map { $0 / s.level.alpha })
    form.add(rest(start, origin), scaled: zip(decay, whole.powers[0]).map { -$0 * $1 })
    form.add(.one, zip(decay, whole.shift).map { -$0 * $1 })
    for (k, derivative) in derivatives(start, others, pseudo).enumerated() {
      form.add(derivative, scaled: zip(decay, whole.powers[k + 1]).map { -$0 * $1 })
    }
    return form
  }

  /// g of an evaluation for a step that begins at λ_s: e^{−∫s}·f − ∫e^{−∫s}b with f = (1 − l)/α·x − x̂0.
  private func rest(_ index: Int, _ origin: Double) -> ElementForm {
    let entry = entries[index]
    let way = basis.integrals(from: origin, to: entry.level.lambda, powers: 0, quadrature)
    let factor = way.s.map { exp(-$0) }
    var form = ElementForm(shape: basis.shape)
    form.add(entry.seen, zip(factor, basis.l(at: entry.level.lambda)).map { $0 * (1 - $1) / entry.level.alpha })
    form.add(entry.denoised, factor.map { -$0 })
    form.add(.one, way.b.map { -$0 })
    return form
  }

  /// g^{(1)} … g^{(n)} at s from n further points: all of them for each derivative, or k for the k-th, which makes it k! times the divided
  /// difference.
  private func derivatives(_ start: Int, _ others: [Int], _ pseudo: Bool) -> [ElementForm] {
    let origin = entries[start].level.lambda
    let own = rest(start, origin)
    let rests = others.map { rest($0, origin) }
    let offsets = others.map { entries[$0].level.lambda - origin }
    return offsets.indices.map { index in
      let weights = derivativeStencil(index + 1, offsets: pseudo ? Array(offsets[...index]) : offsets)
      var form = ElementForm(shape: basis.shape)
      for (value, weight) in zip([own] + rests, [-weights.reduce(0, +)] + weights) {
        form.add(value, scaled: Array(repeating: weight, count: basis.size))
      }
      return form
    }
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

  mutating func add(_ form: ElementForm, scaled factors: [Double]) {
    for term in form.terms { add(term.register, zip(term.coefficients, factors).map { $0 * $1 }) }
  }
}
