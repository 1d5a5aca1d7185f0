import Foundation
public import QuickstepNN

/// Variance-preserving diffusion in continuous time t ∈ (0, 1] (Song et al. 2021, appendix C; DPM-Solver, appendix D.4).
public struct ContinuousVPSchedule: NoiseSchedule {
  enum Kind: Hashable {
    case linear(Double, Double)
    case cosine(Double)
  }
  let kind: Kind
  /// The least time used, above 0 because the networks were not trained at 0.
  public let smallestTime: Double
  /// The greatest time used.
  public let largestTime: Double
  /// What the network is told is t times this.
  public let timestepScale: Double

  /// β(t) linear: log α = −t²(β1−β0)/4 − tβ0/2.
  /// - Parameters:
  ///   - betaStart: β0 > 0, per unit time.
  ///   - betaEnd: β1 > β0.
  ///   - smallestTime: in (0, 1).
  ///   - timestepScale: 999 for the networks of score_sde.
  public static func linear(
    _ betaStart: Double = 0.1, _ betaEnd: Double = 20, smallestTime: Double = 1e-3, timestepScale: Double = 999
  ) throws -> Self {
    guard betaStart > 0, betaEnd > betaStart else {
      throw ScheduleError("linear VP betas are \(betaStart) and \(betaEnd); allowed: 0 < start < end")
    }
    return try Self(kind: .linear(betaStart, betaEnd), smallestTime: smallestTime, largestTime: 1, timestepScale: timestepScale)
  }

  /// α = cos(π/2 · (t+s)/(1+s)) / cos(π/2 · s/(1+s)) with s = 0.008, up to t = 0.9946 where α is still usable (DPM-Solver, appendix D.4).
  public static func cosine(smallestTime: Double = 1e-3, timestepScale: Double = 999) throws -> Self {
    try Self(kind: .cosine(0.008), smallestTime: smallestTime, largestTime: 0.9946, timestepScale: timestepScale)
  }

  init(kind: Kind, smallestTime: Double, largestTime: Double, timestepScale: Double) throws {
    guard smallestTime > 0, smallestTime < largestTime else {
      throw ScheduleError("smallest time is \(smallestTime); allowed: above 0 and below \(largestTime)")
    }
    guard timestepScale > 0, timestepScale.isFinite else { throw ScheduleError("timestep scale is \(timestepScale); allowed: above 0") }
    self.kind = kind
    self.smallestTime = smallestTime
    self.largestTime = largestTime
    self.timestepScale = timestepScale
  }

  /// A short description for messages.
  public var summary: String {
    switch kind {
    case .linear(let start, let end): "continuous VP schedule (linear betas \(start)…\(end))"
    case .cosine: "continuous VP schedule (cosine)"
    }
  }
  /// `nil`: continuous.
  public var trainSteps: Int? { nil }
  /// Times multiplied by ``timestepScale``.
  public var timeRange: ClosedRange<Double> { smallestTime * timestepScale...largestTime * timestepScale }
  /// Sigma coordinates.
  public var frame: Frame { .sigma }

  /// From log α(t) with t = timestep / `timestepScale`.
  public func level(at timestep: Double) throws -> NoiseLevel {
    try checked(timestep)
    let logAlpha = logAlpha(timestep / timestepScale)
    // 1 − α² by expm1, since α is near 1 where σ matters most.
    return NoiseLevel(timestep: timestep, alpha: exp(logAlpha), sigma: (-expm1(2 * logAlpha)).squareRoot())
  }

  /// In closed form. λ beyond the ends keeps its (α, σ); only the timestep is clipped.
  public func level(lambda: Double) throws -> NoiseLevel {
    guard !lambda.isNaN, lambda > -.infinity else { throw ScheduleError("λ is \(lambda); allowed: above −∞ for \(summary)") }
    let time = min(max(time(lambda: lambda), smallestTime), largestTime)
    return DiscreteVPSchedule.level(lambda: lambda, timestep: time * timestepScale)
  }

  private func logAlpha(_ t: Double) -> Double {
    switch kind {
    case .linear(let start, let end): -t * t * (end - start) / 4 - t * start / 2
    case .cosine(let s): log(cos(.pi / 2 * (t + s) / (1 + s))) - log(cos(.pi / 2 * s / (1 + s)))
    }
  }

  private func time(lambda: Double) -> Double {
    // log(1 + e^{−2λ}) without overflow.
    let soft = lambda > 0 ? log1p(exp(-2 * lambda)) : log1p(exp(2 * lambda)) - 2 * lambda
    switch kind {
    case .linear(let start, let end):
      let w = 2 * (end - start) * soft
      return w / (((start * start + w).squareRoot() + start) * (end - start))
    case .cosine(let s):
      let logCos = -soft / 2 + log(cos(.pi / 2 * s / (1 + s)))
      return 2 * (1 + s) / .pi * acos(exp(logCos)) - s
    }
  }
}
