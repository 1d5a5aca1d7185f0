import Foundation
public import QuickstepNN

/// The forward process x = α·x0 + σ·ε as a function of time: which (α, σ) belongs to a timestep, and back.
///
/// Everything is computed in Double. A schedule knows nothing of networks, states or steps; it is a pure value.
public protocol NoiseSchedule: Sendable {
  /// A short description for messages, such as `discrete VP, scaled linear betas, 1000 timesteps`.
  var summary: String { get }
  /// Number of timesteps the model was trained on, or `nil` for a continuous time.
  var trainSteps: Int? { get }
  /// Timesteps from least to most noise, in the model's own units.
  var timeRange: ClosedRange<Double> { get }
  /// The coordinates in which this family's solvers and sigma spacings are usually written.
  var frame: Frame { get }

  /// The noise level at a timestep in the model's own units.
  /// - Throws: ``ScheduleError`` when the timestep is not finite or outside ``timeRange``.
  func level(at timestep: Double) throws -> NoiseLevel

  /// The noise level with half log-SNR λ = log(α/σ); +∞ gives clean data. The timestep is the nearest trained one where λ lies outside
  /// the trained range, since a network cannot be told more than it was trained for.
  /// - Throws: ``ScheduleError`` when λ is NaN, or −∞ on a schedule that never reaches pure noise.
  func level(lambda: Double) throws -> NoiseLevel

  /// What a uniformly spaced timestep is mapped to before use: the resolution-dependent shift of flow models, the identity elsewhere.
  func warp(_ timestep: Double) -> Double
}

extension NoiseSchedule {
  /// The identity.
  public func warp(_ timestep: Double) -> Double { timestep }

  /// Clean data: α = 1, σ = 0.
  public var clean: NoiseLevel { NoiseLevel(timestep: timeRange.lowerBound, alpha: 1, sigma: 0) }

  /// The trained level with the least noise.
  public func smallest() throws -> NoiseLevel { try level(at: timeRange.lowerBound) }

  /// The trained level with the most noise.
  public func largest() throws -> NoiseLevel { try level(at: timeRange.upperBound) }

  /// The trained range of λ; its lower bound is −∞ for schedules that begin at pure noise.
  public func lambdaRange() throws -> ClosedRange<Double> { try largest().lambda...smallest().lambda }

  /// The level at a value of the ``frame``'s noise coordinate.
  /// - Throws: ``ScheduleError`` when the coordinate is negative, not finite, or beyond pure noise.
  public func level(coordinate: Double) throws -> NoiseLevel { try level(coordinate: coordinate, in: frame) }

  /// The level at a noise coordinate of any frame.
  func level(coordinate: Double, in frame: Frame) throws -> NoiseLevel {
    guard let lambda = frame.lambda(coordinate: coordinate) else {
      throw ScheduleError("noise coordinate \(coordinate) is not a level of \(summary); allowed: \(frame.allowed)")
    }
    return try level(lambda: lambda)
  }

  /// Where timesteps end: 0, or the least trained one where they go below (ln(σ)/4 of EDM).
  var endOfTime: Double { min(0, timeRange.lowerBound) }

  func checked(_ timestep: Double) throws {
    guard timestep.isFinite, timeRange.contains(timestep) else {
      throw ScheduleError(
        "timestep \(timestep) is outside \(summary); allowed: \(timeRange.lowerBound)…\(timeRange.upperBound)")
    }
  }
}

/// Coordinates (y, τ) for a state and its noise, y = x / scale. In both the ODE reads dy/dτ = (y − x̂0)/τ. First-order steps agree in
/// all frames; higher orders differ in what they take to be straight.
public enum Frame: String, Sendable, Codable, CaseIterable {
  /// Variance exploding: y = x/α, τ = σ/α. The sigmas of k-diffusion, EDM and of diffusers' Euler and DPM schedulers.
  case sigma
  /// Straight paths: y = x/(α+σ), τ = σ/(α+σ). For flow models this is x and t itself; finite at pure noise.
  case flow

  /// τ of a level; +∞ for pure noise in ``sigma``.
  public func coordinate(_ level: NoiseLevel) -> Double {
    switch self {
    case .sigma: level.sigma == 0 ? 0 : level.sigma / level.alpha
    case .flow: level.sigma / (level.alpha + level.sigma)
    }
  }

  /// What a state is divided by to enter this frame.
  public func scale(_ level: NoiseLevel) -> Double {
    switch self {
    case .sigma: level.alpha
    case .flow: level.alpha + level.sigma
    }
  }

  func lambda(coordinate: Double) -> Double? {
    guard coordinate.isFinite, coordinate >= 0 else { return nil }
    switch self {
    case .sigma: return -log(coordinate)
    case .flow: return coordinate <= 1 ? log((1 - coordinate) / coordinate) : nil
    }
  }

  var allowed: String { self == .sigma ? "0 and above" : "0…1" }
}
