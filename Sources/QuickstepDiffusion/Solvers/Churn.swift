import Foundation
import QuickstepNN

/// Noise that is added before a step and removed by it: lines 4 to 6 of algorithm 2 of Karras et al. (2022), shared by the solvers that can
/// do it.
///
/// τ̂ = (1 + γ)·τ with τ = σ/α, γ = min(churn/n, √2 − 1) for τ within the given bounds, else 0; x̂ = (α̂/α)·x + √(σ̂² − (α̂σ/α)²)·s·z.
struct Churn {
  let amount: Double
  let range: ClosedRange<Double>
  let noiseScale: Double

  static let parameters = [
    ParameterDeclaration(
      name: "s-churn", summary: "Noise added over the whole run and removed again; 0 is none.", domain: .number(0...1000),
      standard: .number(0), neutral: .number(0)),
    ParameterDeclaration(
      name: "s-tmin", summary: "Least σ/α at which noise is added.", domain: .number(0...1e6), standard: .number(0)),
    ParameterDeclaration(
      name: "s-tmax", summary: "Greatest σ/α at which noise is added.", domain: .number(0...1e6), standard: .number(1e6)),
    ParameterDeclaration(
      name: "s-noise", summary: "Factor on the added noise; a little above 1 makes up for lost detail.", domain: .number(0...2),
      standard: .number(1), neutral: .number(1)),
  ]

  /// - Throws: `ParameterError` when the bounds are in the wrong order.
  init(_ values: ParameterValues) throws {
    let (low, high) = (values.number("s-tmin"), values.number("s-tmax"))
    guard low <= high else { throw ParameterError("parameter 's-tmin' is \(low), above 's-tmax' (\(high)); allowed: s-tmin ≤ s-tmax") }
    amount = values.number("s-churn")
    range = low...high
    noiseScale = values.number("s-noise")
  }

  /// The state and level that the step begins with: the given ones, or a row that raises them.
  ///
  /// Pure noise cannot be raised, and stays as it is.
  func raise(
    _ x: Register, at level: NoiseLevel, steps: Int, schedule: any NoiseSchedule, in table: inout TableauBuilder
  ) throws -> (Register, NoiseLevel) {
    let gamma = min(amount / Double(steps), 2.0.squareRoot() - 1)
    guard gamma > 0, level.alpha > 0, range.contains(Frame.sigma.coordinate(level)) else { return (x, level) }
    let raised = try schedule.level(lambda: level.lambda - log1p(gamma))
    let kept = raised.alpha / level.alpha
    let added = (raised.sigma * raised.sigma - kept * kept * level.sigma * level.sigma).squareRoot()
    return (table.combine(LinearForm(x, kept), noise: added * noiseScale, to: raised, finishing: false), raised)
  }
}
