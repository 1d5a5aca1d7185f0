public import QuickstepNN

/// The noise levels a run visits: n+1 of them, from the noisiest to the end. A solver steps from each to the next.
public struct Grid: Hashable, Sendable, Codable {
  /// The levels; σ/α falls strictly.
  public let levels: [NoiseLevel]
  /// How they were chosen, for messages and recipes.
  public let spacing: String

  /// - Parameters:
  ///   - levels: at least two, noise falling strictly, finite.
  ///   - spacing: how they were chosen.
  /// - Throws: ``GridError`` naming the level.
  public init(levels: [NoiseLevel], spacing: String) throws {
    guard levels.count >= 2 else { throw GridError("\(spacing) grid has \(levels.count) levels; allowed: 2 and above (1 step)") }
    for (index, level) in levels.enumerated() {
      guard level.timestep.isFinite, level.alpha.isFinite, level.sigma.isFinite, level.alpha >= 0, level.sigma >= 0 else {
        throw GridError(
          "level \(index) of the \(spacing) grid is (timestep \(level.timestep), α \(level.alpha), σ \(level.sigma)); "
            + "allowed: finite, α and σ not negative")
      }
      guard index == 0 || level.lambda > levels[index - 1].lambda else {
        throw GridError(
          "level \(index) of the \(spacing) grid (timestep \(level.timestep), λ \(level.lambda)) does not have less noise "
            + "than level \(index - 1) (timestep \(levels[index - 1].timestep), λ \(levels[index - 1].lambda)); noise must fall strictly")
      }
    }
    self.levels = levels
    self.spacing = spacing
  }

  /// A grid through given timesteps, in the model's own units.
  /// - Parameters:
  ///   - timesteps: where the model is evaluated, noisiest first.
  ///   - final: the level after the last of them; `.smallest` only makes sense if that is below the last timestep.
  public init(timesteps: [Double], on schedule: any NoiseSchedule, final: FinalLevel = .zero) throws {
    let levels = try timesteps.map { try schedule.level(at: $0) }
    try self.init(levels: levels + [final == .zero ? schedule.clean : schedule.smallest()], spacing: "explicit")
  }

  /// A grid through given noise coordinates of the schedule's frame: σ/α for VP and EDM, t for flow models. The end is part of the list.
  public init(sigmas: [Double], on schedule: any NoiseSchedule) throws {
    let levels = try sigmas.map { $0 == 0 ? schedule.clean : try schedule.level(coordinate: $0) }
    try self.init(levels: levels, spacing: "explicit")
  }

  /// Number of solver steps, n.
  public var steps: Int { levels.count - 1 }
  /// The timesteps of all levels but the last.
  public var timesteps: [Double] { levels.dropLast().map(\.timestep) }
  /// The noise coordinates of all levels, the last included.
  public func coordinates(_ frame: Frame = .sigma) -> [Double] { levels.map(frame.coordinate) }

  /// The part from step `first` on, for runs that start from a given state.
  /// - Throws: ``GridError`` when no step would be left.
  public func suffix(fromStep first: Int) throws -> Grid {
    guard first >= 0, first < steps else { throw GridError("a grid of \(steps) steps has no step \(first); allowed: 0…\(steps - 1)") }
    return first == 0 ? self : try Grid(levels: Array(levels[first...]), spacing: spacing)
  }
}

/// Where a grid ends.
public enum FinalLevel: String, Sendable, Codable, CaseIterable {
  /// Clean data, σ = 0: diffusers' `final_sigmas_type: zero` and `set_alpha_to_one: true`.
  case zero
  /// The least noise the schedule was trained for: `sigma_min`, `set_alpha_to_one: false`.
  case smallest
}
