import Foundation
import QuickstepNN

/// The exact transfer from one level to the next for a prediction that does not change: what all first-order solvers share.
///
/// x' = (σ_d/σ)·x + (α' − α·σ_d/σ)·x̂0 + σ_up·z, with σ_d² + σ_up² = σ'². It needs no logarithms, and holds at α = 0 and at σ' = 0.
struct FirstOrderStep {
  /// Coefficient of the state.
  let state: Double
  /// Coefficient of x̂0.
  let denoised: Double
  /// Standard deviation of the fresh noise, σ_up.
  let noise: Double

  /// - Parameter eta: share of the noise that is renewed, 0 (none) to 1 (as much as the forward process would put there). Below 0 is not
  ///   allowed by the declarations.
  init(from: NoiseLevel, to: NoiseLevel, eta: Double = 0) {
    let up = eta == 0 ? 0 : min(eta * Self.renewable(from: from, to: to), to.sigma)
    // With η = 0 no root is taken, so that the neutral table has the bits of the deterministic one.
    let kept = up == 0 ? to.sigma : ((to.sigma - up) * (to.sigma + up)).squareRoot()
    state = kept / from.sigma
    denoised = to.alpha - from.alpha * state
    noise = up
  }

  /// σ'·√(1 − e^{−2h}), h = λ' − λ: DDIM's equation 16 written for any (α, σ), and the ancestral step of k-diffusion.
  static func renewable(from: NoiseLevel, to: NoiseLevel) -> Double {
    guard to.sigma > 0 else { return 0 }
    return to.sigma * (-expm1(-2 * (to.lambda - from.lambda))).squareRoot()
  }
}
