public import QuickstepNN

/// Σ coefficient·register: what a formula of a solver is while it is written down.
///
///     let noise = (1 / sigma) * LinearForm(x) - (alpha / sigma) * LinearForm(m)
///     x = table.combine(a * LinearForm(x) + b * noise, to: next)
///
/// Registers keep the order in which they first appear; equal ones are added up.
public struct LinearForm: Hashable, Sendable {
  /// The sum, each register once.
  public var terms: [(register: Register, coefficient: Double)] { registers.map { ($0, coefficients[$0] ?? 0) } }
  private var registers: [Register] = []
  private var coefficients: [Register: Double] = [:]

  /// 0.
  public init() {}

  /// coefficient·register.
  public init(_ register: Register, _ coefficient: Double = 1) {
    registers = [register]
    coefficients = [register: coefficient]
  }

  /// The sum.
  public static func + (left: LinearForm, right: LinearForm) -> LinearForm {
    var sum = left
    sum += right
    return sum
  }

  /// The difference.
  public static func - (left: LinearForm, right: LinearForm) -> LinearForm { left + -1 * right }

  /// Every coefficient multiplied.
  public static func * (factor: Double, form: LinearForm) -> LinearForm {
    var product = form
    for register in form.registers { product.coefficients[register] = factor * (form.coefficients[register] ?? 0) }
    return product
  }

  /// Adds a form.
  public static func += (left: inout LinearForm, right: LinearForm) {
    for register in right.registers {
      if left.coefficients[register] == nil { left.registers.append(register) }
      left.coefficients[register, default: 0] += right.coefficients[register] ?? 0
    }
  }
}

extension TableauBuilder {
  /// Makes a new state from a form.
  @discardableResult
  public mutating func combine(_ form: LinearForm, noise: Double = 0, to level: NoiseLevel, finishing: Bool = true) -> Register {
    combine(form.terms.map { ($0.register, $0.coefficient) }, noise: noise, to: level, finishing: finishing)
  }
}
