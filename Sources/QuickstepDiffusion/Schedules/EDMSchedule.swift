import Foundation
public import QuickstepNN

/// Variance-exploding diffusion as in EDM: α = 1, noise σ from `sigmaMin` to `sigmaMax` (Karras et al. 2022, table 1).
/// The network is told ln(σ)/4; its input and output scaling belong to ``Parametrisation/edm(sigmaData:)``.
public struct EDMSchedule: NoiseSchedule {
  /// Least trained noise, above 0.
  public let sigmaMin: Double
  /// Greatest trained noise.
  public let sigmaMax: Double

  /// - Throws: ``ScheduleError`` unless 0 < sigmaMin < sigmaMax, both finite.
  public init(sigmaMin: Double = 0.002, sigmaMax: Double = 80) throws {
    guard sigmaMin > 0, sigmaMax > sigmaMin, sigmaMax.isFinite else {
      throw ScheduleError("EDM sigmas are \(sigmaMin) and \(sigmaMax); allowed: 0 < sigmaMin < sigmaMax, finite")
    }
    self.sigmaMin = sigmaMin
    self.sigmaMax = sigmaMax
  }

  /// A short description for messages.
  public var summary: String { "EDM schedule (σ \(sigmaMin)…\(sigmaMax))" }
  /// `nil`: continuous.
  public var trainSteps: Int? { nil }
  /// ln(σ)/4 of both ends.
  public var timeRange: ClosedRange<Double> { log(sigmaMin) / 4...log(sigmaMax) / 4 }
  /// Sigma coordinates.
  public var frame: Frame { .sigma }

  /// σ = e^(4·timestep).
  public func level(at timestep: Double) throws -> NoiseLevel {
    try checked(timestep)
    return NoiseLevel(timestep: timestep, alpha: 1, sigma: exp(4 * timestep))
  }

  /// σ = e^(−λ), not clipped; the timestep is.
  public func level(lambda: Double) throws -> NoiseLevel {
    guard !lambda.isNaN, lambda > -.infinity else { throw ScheduleError("λ is \(lambda); allowed: above −∞ for \(summary)") }
    let range = timeRange
    return NoiseLevel(timestep: min(max(-lambda / 4, range.lowerBound), range.upperBound), alpha: 1, sigma: exp(-lambda))
  }
}
