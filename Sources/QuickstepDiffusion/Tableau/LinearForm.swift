public import QuickstepNN

/// A sum of coefficient · register that can be added up and scaled before it is written as a row: slopes and ε are such sums, and solvers
/// that speak of them read like their formulas.
///
///     let epsilon = (1 / sigma) * (LinearForm(x) - alpha * LinearForm(m))
///     table.combine(ratio * LinearForm(x) + weight * epsilon, to: next)
public struct LinearForm: Sendable {
  /// The terms in the order in which their registers first appeared; a coefficient may have become 0.
  public private(set) var terms: [(register: Register, coefficient: Double)] = []

  /// The empty sum.
  public init() {}

  /// One register, times 1 unless said otherwise.
  public init(_ register: Register, _ coefficient: Double = 1) { terms = [(register, coefficient)] }

  /// What the register is multiplied by; 0 where it does not appear.
  public subscript(register: Register) -> Double { terms.first { $0.register == register }?.coefficient ?? 0 }

  /// Coefficients of common registers are added.
  public static func + (left: LinearForm, right: LinearForm) -> LinearForm {
    var sum = left
    for term in right.terms {
      if let place = sum.terms.firstIndex(where: { $0.register == term.register }) {
        sum.terms[place].coefficient += term.coefficient
      } else {
        sum.terms.append(term)
      }
    }
    return sum
  }

  /// left + (−1)·right.
  public static func - (left: LinearForm, right: LinearForm) -> LinearForm { left + -1 * right }

  /// Every coefficient times a number.
  public static func * (factor: Double, form: LinearForm) -> LinearForm {
    var scaled = form
    for place in scaled.terms.indices { scaled.terms[place].coefficient *= factor }
    return scaled
  }
}

extension TableauBuilder {
  /// Makes a new state from a linear form; terms whose coefficient is 0 are left out.
  /// - Returns: the register of the new state.
  @discardableResult
  public mutating func combine(_ form: LinearForm, noise: Double = 0, to level: NoiseLevel, finishing: Bool = true) -> Register {
    combine(form.terms.map { ($0.register, $0.coefficient) }, noise: noise, to: level, finishing: finishing)
  }
}
