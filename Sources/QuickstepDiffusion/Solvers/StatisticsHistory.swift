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

  /// g^{(1)} … g^{(n)} at s from n further points.
  private func derivatives(_ start: Int, _ others: [Int], _ pseudo: Bool) -> [ElementForm] {
    guard !others.isEmpty else { return [] }
    let origin = entries[start].level.lambda
    let offsets = others.map { entries[$0].level.lambda - origin }
    let all = [rest(start, origin)] + others.map { rest($0, origin) }
    let weights = pseudo ? Self.dividedDifferences([0] + offsets) : Self.interpolation(offsets)
    return weights.map { row in
      var form = ElementForm(shape: basis.shape)
      for (value, weight) in zip(all, row) where weight != 0 {
        form.add(value, scaled: Array(repeating: weight, count: basis.size))
      }
      return form
    }
  }

  /// Weights of the values at 0, x_1 … x_n that give the k-th derivative at 0 of the polynomial through them, k = 1…n.
  static func interpolation(_ offsets: [Double]) -> [[Double]] {
    let count = offsets.count
    // Rows: the value at x_i less that at 0 is Σ_k d_k·x_i^k/k!. Solved by elimination, n is at most 3.
    var matrix = offsets.map { x in (1...count).map { k in pow(x, Double(k)) / (1...k).reduce(1.0) { $0 * Double($1) } } }
    var inverse = (0..<count).map { i in (0..<count).map { $0 == i ? 1.0 : 0 } }
    for column in 0..<count {
      let pivot = (column..<count).max { abs(matrix[$0][column]) < abs(matrix[$1][column]) } ?? column
      matrix.swapAt(column, pivot)
      inverse.swapAt(column, pivot)
      let scale = matrix[column][column]
      for j in 0..<count { (matrix[column][j], inverse[column][j]) = (matrix[column][j] / scale, inverse[column][j] / scale) }
      for row in 0..<count where row != column {
        let factor = matrix[row][column]
        for j in 0..<count {
          matrix[row][j] -= factor * matrix[column][j]
          inverse[row][j] -= factor * inverse[column][j]
        }
      }
    }
    return inverse.map { [-$0.reduce(0, +)] + $0 }
  }

  /// Weights of the values at x_0 … x_n that give k! times the divided difference over x_0 … x_k, k = 1…n.
  static func dividedDifferences(_ points: [Double]) -> [[Double]] {
    (1..<points.count).map { k in
      let factorial = (1...k).reduce(1.0) { $0 * Double($1) }
      return points.indices.map { j in
        guard j <= k else { return 0 }
        return factorial / (0...k).reduce(1.0) { $1 == j ? $0 : $0 * (points[j] - points[$1]) }
      }
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
