import Foundation
public import QuickstepNN

/// Rectified flow: α = 1 − t, σ = t, timestep = `timestepScale`·t (Liu et al. 2023; Esser et al. 2024, section 2).
public struct FlowSchedule: NoiseSchedule {
  /// Shift s of uniformly spaced times, t ↦ s·t/(1+(s−1)·t) (Esser et al. 2024, equation 23); 1 leaves them alone.
  public let shift: Double
  /// Number of times the training set of levels had; gives the smallest one, 1/N before the shift.
  public let trainedTimes: Int
  /// What the network is told is t times this.
  public let timestepScale: Double
  /// Whether the shift was chosen for this run's resolution, in which case the trained range itself is not shifted.
  public let isDynamic: Bool
  /// The noisiest time a run begins at, before the shift: 1, or one trained time below it (diffusers' `use_flow_sigmas`).
  public let largestTime: Double
  /// No level has more noise than this, whatever the time: 1, or a little less so that λ stays finite (diffusers' UniPC).
  public let largestSigma: Double
  /// Whether the network is told whole timesteps only, cut towards 0, as some schedulers do that were made for discrete models.
  public let tellsWholeTimesteps: Bool

  /// - Parameters:
  ///   - shift: above 0.
  ///   - isDynamic: true for a shift chosen by ``dynamicShift(tokens:baseShift:maxShift:baseTokens:maxTokens:)``.
  ///   - trainedTimes: at least 2.
  ///   - timestepScale: 1000 in diffusers.
  ///   - largestTime: above the smallest time, at most 1.
  ///   - largestSigma: above 0, at most 1.
  ///   - tellsWholeTimesteps: whether timesteps of levels are cut to whole numbers.
  /// - Throws: ``ScheduleError`` naming the value.
  public init(
    shift: Double = 1, isDynamic: Bool = false, trainedTimes: Int = 1000, timestepScale: Double = 1000, largestTime: Double = 1,
    largestSigma: Double = 1, tellsWholeTimesteps: Bool = false
  ) throws {
    guard shift > 0, shift.isFinite else { throw ScheduleError("flow shift is \(shift); allowed: above 0, finite") }
    guard trainedTimes >= 2 else { throw ScheduleError("flow schedule has \(trainedTimes) trained times; allowed: 2 and above") }
    guard timestepScale > 0, timestepScale.isFinite else { throw ScheduleError("timestep scale is \(timestepScale); allowed: above 0") }
    guard largestTime <= 1, largestTime * Double(trainedTimes) > 1 else {
      throw ScheduleError("the largest time is \(largestTime); allowed: above 1/\(trainedTimes), at most 1")
    }
    guard largestSigma > 0, largestSigma <= 1 else {
      throw ScheduleError("the largest sigma is \(largestSigma); allowed: above 0, at most 1")
    }
    self.largestSigma = largestSigma
    self.shift = shift
    self.isDynamic = isDynamic
    self.trainedTimes = trainedTimes
    self.timestepScale = timestepScale
    self.largestTime = largestTime
    self.tellsWholeTimesteps = tellsWholeTimesteps
  }

  /// The shift e^μ with μ linear in the number of image tokens (FLUX; diffusers' `use_dynamic_shifting`, exponential).
  /// - Parameter tokens: length of the image token sequence, at least 1.
  /// - Throws: ``ScheduleError`` for a length below 1.
  public static func dynamicShift(
    tokens: Int, baseShift: Double = 0.5, maxShift: Double = 1.15, baseTokens: Int = 256, maxTokens: Int = 4096
  ) throws -> Double {
    guard tokens >= 1, maxTokens > baseTokens else {
      throw ScheduleError("dynamic shift for \(tokens) tokens between \(baseTokens) and \(maxTokens); allowed: 1 and above, base < max")
    }
    let slope = (maxShift - baseShift) / Double(maxTokens - baseTokens)
    return exp(baseShift + slope * Double(tokens - baseTokens))
  }

  /// A short description for messages.
  public var summary: String { "flow schedule (shift \(shift))" }
  /// `nil`: continuous.
  public var trainSteps: Int? { nil }
  /// From the smallest trained time to pure noise. With a fixed shift the smallest time is itself shifted, and a uniform spacing
  /// shifts it once more: that is what diffusers' FlowMatchEulerDiscreteScheduler does, and what SD3 pipelines run with.
  public var timeRange: ClosedRange<Double> {
    let smallest = timestepScale / Double(trainedTimes)
    let largest = timestepScale * largestTime
    return min(isDynamic ? smallest : warp(smallest), largest)...largest
  }
  /// Straight paths.
  public var frame: Frame { .flow }

  /// The shift t ↦ s·t/(1+(s−1)·t) on timesteps.
  public func warp(_ timestep: Double) -> Double {
    let t = timestep / timestepScale
    return timestepScale * (shift * t / (1 + (shift - 1) * t))
  }

  /// Any time of 0…1 is a level here, since the path is defined for all of them.
  public func level(at timestep: Double) throws -> NoiseLevel {
    guard timestep >= 0, timestep <= timestepScale else {
      throw ScheduleError("timestep \(timestep) is outside \(summary); allowed: 0…\(timestepScale)")
    }
    let t = min(timestep / timestepScale, largestSigma)
    return NoiseLevel(timestep: told(timestepScale * t), alpha: 1 - t, sigma: t)
  }

  private func told(_ timestep: Double) -> Double { tellsWholeTimesteps ? timestep.rounded(.down) : timestep }

  /// σ = 1/(1 + e^λ). The timestep belongs to σ exactly, below the smallest trained time as well.
  public func level(lambda: Double) throws -> NoiseLevel {
    guard !lambda.isNaN else { throw ScheduleError("λ is NaN; allowed: any number of \(summary)") }
    let sigma = 1 / (1 + exp(lambda))
    return NoiseLevel(timestep: told(timestepScale * sigma), alpha: 1 / (1 + exp(-lambda)), sigma: sigma)
  }
}
