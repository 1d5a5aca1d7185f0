import Foundation
public import QuickstepNN

/// A step of Langevin dynamics on noisy data of one level: in y = x/α, with s the score and τ = σ/α,
///
///     y' = y + (η/2)·s(y, τ) + √η·z,   s = (x̂0 − y)/τ²
///
/// (Kim & Ye 2022, arXiv 2209.14593, algorithm 1). It leaves p(y | τ) as it is up to the error of its length, for it is unadjusted: no move is
/// ever rejected.
public struct LangevinStep: Sendable, Hashable {
  /// How the length η is taken.
  public enum Rule: String, Sendable, Codable, CaseIterable {
    /// The formula above. Noise grows by η²/4τ² in τ² per step, where x̂0 does not change with y.
    case euler
    /// Exact for an x̂0 that does not change: y' = x̂0 + e^{−η/2τ²}·(y − x̂0) + τ·√(1 − e^{−η/τ²})·z. Neither grows nor shrinks noise, for any η.
    case exponential
  }

  /// η, in squared units of the data.
  public let length: Double
  /// How it is taken.
  public let rule: Rule

  /// - Parameters:
  ///   - length: η, above 0.
  ///   - rule: how it is taken.
  /// - Throws: ``SamplingError`` for a length that is not above 0.
  public init(length: Double, rule: Rule = .euler) throws {
    guard length > 0, length.isFinite else { throw SamplingError("a Langevin step of length \(length); allowed: above 0, finite") }
    (self.length, self.rule) = (length, rule)
  }

  /// y' = kept·y + (1 − kept)·x̂0 + spread·z.
  func coefficients(sigma: Double) -> (kept: Double, spread: Double) {
    switch rule {
    case .euler: return (1 - length / (2 * sigma * sigma), length.squareRoot())
    case .exponential:
      let ratio = length / (sigma * sigma)
      return (exp(-ratio / 2), sigma * (-expm1(-ratio)).squareRoot())
    }
  }

  /// The step as a table: it begins at y, shows the model x = α·y at the level, and ends at y'.
  /// - Throws: ``SamplingError`` at levels without signal or noise.
  public func tableau(at level: NoiseLevel) throws -> Tableau {
    guard level.alpha > 0, level.sigma > 0 else {
      throw SamplingError("a Langevin step at (α, σ) = (\(level.alpha), \(level.sigma)); allowed: both above 0")
    }
    let (kept, spread) = coefficients(sigma: Frame.sigma.coordinate(level))
    func term(_ register: Register, _ value: Double) -> Tableau.Term { Tableau.Term(register, Coefficient(value)) }
    return try Tableau(
      solver: "langevin", stepCount: 1, initialLevel: level,
      rows: [
        Tableau.Row(step: 0, terms: [term(.state(0), level.alpha)], level: level, finishesStep: false),
        Tableau.Row(
          step: 0, evaluation: .init(state: 1, level: level),
          terms: [term(.state(0), kept), term(.denoised(0), 1 - kept), term(.noise(0), spread)], level: level, finishesStep: true),
      ])
  }
}
