import Foundation
import QuickstepNN

/// The exact solution over one step for a prediction that is a polynomial: x' = state·x + Σ_k weight(k)·f⁽ᵏ⁾ + noise·z.
///
/// | kind | state | weight(k) | |
/// |---|---|---|---|
/// | denoised | (σ'/σ)·e^{−ηh} | (1+η)·α'·h^{k+1}·φ_{k+1}(−(1+η)h) | h = λ' − λ |
/// | epsilon | α'/α | −(1+η)·σ'·h^{k+1}·φ_{k+1}(h) | |
/// | epsilon-sigma | α'/α | α'·Δ^{k+1}/(k+1)! | Δ = σ'/α' − σ/α |
/// | epsilon-time | α'/α | −α'·∫ e^{−λ}·(t(λ) − t)^k/k! dλ | by quadrature |
/// | velocity | (α'+σ')/(α+σ) | (α'+σ')·Δ^{k+1}/(k+1)! | Δ = τ' − τ |
/// | blend κ | (α'/α)^{1−κ}·(σ'/σ)^κ | κ·α'·h^{k+1}·φ_{k+1}(−κh) on x̂0, −(1−κ)·σ'·h^{k+1}·φ_{k+1}((1−κ)h) on ε̂ | |
///
/// With η = 0 these are the variation-of-constants formulas of Lu et al. 2022 (arXiv 2206.00927, equation 3.4; arXiv 2211.01095, equation
/// 9); with η = 1 those of the reverse SDE (arXiv 2211.01095, appendix A.4), and between them those of its family of equal marginals.
struct ExponentialStep {
  /// One prediction's share of the step.
  struct Part {
    let quantity: PredictedQuantity
    /// What stands before h^{k+1}·φ_{k+1}.
    let scale: Double
    /// What φ is taken at.
    let z: Double
  }

  /// Coefficient of the state.
  let state: Double
  /// Standard deviation of the fresh noise.
  private(set) var noise = 0.0
  /// Length of the step in its own coordinate.
  let h: Double
  let parts: [Part]
  /// The integrals, where they have no closed form.
  private var moment: ((Int) throws -> Double)?

  /// `nil` where the step has no finite length in its coordinate: from pure noise (except for ``PredictionKind/velocity``), and to clean
  /// data in λ and in time; and for ``PredictionKind/statistics``, whose coefficients are no numbers (``StatisticsStep``).
  init?(_ kind: PredictionKind, from: NoiseLevel, to: NoiseLevel, schedule: any NoiseSchedule, eta: Double = 0) throws {
    h = try kind.coordinate(to, schedule) - kind.coordinate(from, schedule)
    guard h.isFinite else { return nil }
    switch kind {
    case .statistics: return nil
    case .denoised:
      state = to.sigma / from.sigma * exp(-eta * h)
      noise = to.sigma * (-expm1(-2 * eta * h)).squareRoot()
      parts = [Part(quantity: .denoised, scale: (1 + eta) * to.alpha, z: -(1 + eta) * h)]
    case .epsilon:
      state = to.alpha / from.alpha
      noise = to.sigma * (eta * expm1(2 * h)).squareRoot()
      parts = [Part(quantity: .epsilon, scale: -(1 + eta) * to.sigma, z: h)]
    case .epsilonInSigma:
      state = to.alpha / from.alpha
      parts = [Part(quantity: .epsilon, scale: to.alpha, z: 0)]
    case .epsilonInTime:
      state = to.alpha / from.alpha
      parts = [Part(quantity: .epsilon, scale: -to.alpha, z: 0)]
      let time = try kind.coordinate(from, schedule)
      moment = { order in
        let factorial = (0..<order).reduce(1.0) { $0 * Double($1 + 1) }
        // The timestep of a discrete model is piecewise linear in λ; its kinks are what the many pieces are for.
        return try integral(from: from.lambda, to: to.lambda, pieces: 64) { lambda in
          try exp(-lambda) * pow(schedule.level(lambda: lambda).timestep - time, Double(order)) / factorial
        }
      }
    case .velocity:
      state = Frame.flow.scale(to) / Frame.flow.scale(from)
      parts = [Part(quantity: .velocity, scale: Frame.flow.scale(to), z: 0)]
    case .blend(let share):
      state = pow(to.alpha / from.alpha, 1 - share) * pow(to.sigma / from.sigma, share)
      parts = [
        Part(quantity: .denoised, scale: share * to.alpha, z: -share * h),
        Part(quantity: .epsilon, scale: -(1 - share) * to.sigma, z: (1 - share) * h),
      ]
    }
  }

  /// What multiplies the k-th derivative of a part's prediction.
  func weight(_ order: Int, _ part: Part) throws -> Double {
    if let moment { return try part.scale * moment(order) }
    return part.scale * pow(h, Double(order + 1)) * phi(order + 1, part.z)
  }
}
