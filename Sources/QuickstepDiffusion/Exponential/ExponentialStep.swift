import Foundation
import QuickstepNN

/// The exact solution over one step for a prediction that is a polynomial: x' = state·x + Σ_k weight(k)·f⁽ᵏ⁾ + noise·z.
///
/// | kind | state | weight(k) | |
/// |---|---|---|---|
/// | denoised | (σ'/σ)·e^{−ηh} | (1+η)·α'·h^{k+1}·φ_{k+1}(−(1+η)h) | h = λ' − λ |
/// | epsilon | α'/α | −(1+η)·σ'·h^{k+1}·φ_{k+1}(h) | |
/// | velocity | (α'+σ')/(α+σ) | (α'+σ')·Δ^{k+1}/(k+1)! | Δ = τ' − τ |
/// | blend κ | (α'/α)^{1−κ}·(σ'/σ)^κ | κ·α'·h^{k+1}·φ_{k+1}(−κh) on x̂0, −(1−κ)·σ'·h^{k+1}·φ_{k+1}((1−κ)h) on ε̂ | |
///
/// With η = 0 these are the variation-of-constants formulas of Lu et al. 2022 (arXiv 2206.00927, equation 3.4; arXiv 2211.01095, equation
/// 9); with η = 1 those of the reverse SDE (arXiv 2211.01095, appendix A.4), and between them those of its family of equal marginals.
struct ExponentialStep {
  /// One prediction's share of the step.
  struct Part {
    let kind: PredictionKind
    /// What stands before h^{k+1}·φ_{k+1}.
    let scale: Double
    /// What φ is taken at.
    let z: Double
  }

  /// Coefficient of the state.
  let state: Double
  /// Standard deviation of the fresh noise.
  let noise: Double
  /// Length of the step in its own coordinate.
  let h: Double
  let parts: [Part]

  /// `nil` where the step has no finite length in its coordinate: from pure noise and to clean data, except for ``PredictionKind/velocity``.
  init?(_ kind: PredictionKind, from: NoiseLevel, to: NoiseLevel, eta: Double = 0) {
    h = kind.coordinate(to) - kind.coordinate(from)
    guard h.isFinite else { return nil }
    switch kind {
    case .denoised:
      state = to.sigma / from.sigma * exp(-eta * h)
      noise = to.sigma * (-expm1(-2 * eta * h)).squareRoot()
      parts = [Part(kind: kind, scale: (1 + eta) * to.alpha, z: -(1 + eta) * h)]
    case .epsilon:
      state = to.alpha / from.alpha
      noise = to.sigma * (eta * expm1(2 * h)).squareRoot()
      parts = [Part(kind: kind, scale: -(1 + eta) * to.sigma, z: h)]
    case .velocity:
      state = Frame.flow.scale(to) / Frame.flow.scale(from)
      noise = 0
      parts = [Part(kind: kind, scale: Frame.flow.scale(to), z: 0)]
    case .blend(let share):
      state = pow(to.alpha / from.alpha, 1 - share) * pow(to.sigma / from.sigma, share)
      noise = 0
      parts = [
        Part(kind: .denoised, scale: share * to.alpha, z: -share * h),
        Part(kind: .epsilon, scale: -(1 - share) * to.sigma, z: (1 - share) * h),
      ]
    }
  }

  /// What multiplies the k-th derivative of a part's prediction.
  func weight(_ order: Int, _ part: Part) -> Double {
    part.scale * pow(h, Double(order + 1)) * phi(order + 1, part.z)
  }
}

extension PredictionKind {
  /// In which the prediction is a polynomial.
  func coordinate(_ level: NoiseLevel) -> Double { self == .velocity ? Frame.flow.coordinate(level) : level.lambda }

  /// Whether it needs nothing but the x̂0 of an evaluation, and not the state it was made from.
  var isDenoised: Bool { self == .denoised }
}
