public import QuickstepNN

/// A rule that chooses the noise levels of a run: (schedule, n) → ``Grid``. One file per rule; ``AllGrids`` lists them.
public protocol Spacing: Sendable {
  /// What the rule says about itself.
  static var declaration: MethodDeclaration { get }
  /// Names other tools use for it.
  static var aliases: [SpacingAlias] { get }
  /// - Throws: when the values contradict each other.
  init(_ values: ParameterValues) throws
  /// The only number of steps there is a grid of, for rules that hold their levels.
  var fixedSteps: Int? { get }
  /// A grid of `steps` steps.
  /// - Throws: ``GridError`` when the schedule cannot carry so many steps or lacks what the rule needs.
  func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid
}

extension Spacing {
  /// None.
  public static var aliases: [SpacingAlias] { [] }
  /// `nil`: any number.
  public var fixedSteps: Int? { nil }
  static var name: String { declaration.name }

  func check(steps: Int, on schedule: any NoiseSchedule) throws {
    guard steps >= 1 else { throw GridError("\(Self.name) grid of \(steps) steps; allowed: 1 and above") }
    // A schedule of continuous time takes any number; a mistyped one must not exhaust the memory.
    guard steps <= 100_000 else { throw GridError("\(Self.name) grid of \(steps) steps; allowed: at most 100000") }
    if let trained = schedule.trainSteps, steps > trained {
      throw GridError("\(Self.name) grid of \(steps) steps on \(schedule.summary); allowed: 1…\(trained)")
    }
  }

  func discrete(_ schedule: any NoiseSchedule) throws -> Int {
    guard let trained = schedule.trainSteps else {
      throw GridError(
        "\(Self.name) spacing needs trained integer timesteps, which \(schedule.summary) does not have; "
          + "use trailing, linspace or karras")
    }
    return trained
  }

  /// Levels at uniformly chosen times, each passed through the schedule's warp.
  func levels(_ times: [Double], _ schedule: any NoiseSchedule) throws -> [NoiseLevel] {
    try times.map { try schedule.level(at: schedule.warp($0)) }
  }
}

/// `count` evenly spaced values, both ends exact; a single value is the start.
func evenly(from start: Double, to end: Double, count: Int) -> [Double] {
  (0..<count).map { i in
    i == count - 1 && count > 1 ? end : start + Double(i) * ((end - start) / Double(max(count - 1, 1)))
  }
}

/// Parameters that several spacings share.
enum SpacingParameter {
  static let final = ParameterDeclaration(
    name: "final", summary: "Where the run ends: clean data, or the least trained noise.",
    domain: .choice(FinalLevel.allCases.map(\.rawValue)),
    standard: .choice(FinalLevel.zero.rawValue))
  static let timestep = ParameterDeclaration(
    name: "timestep", summary: "What a discrete model is told between two trained timesteps.",
    domain: .choice(TimestepRounding.allCases.map(\.rawValue)), standard: .choice(TimestepRounding.exact.rawValue))
  static let sigmaMin = ParameterDeclaration(
    name: "sigma-min", summary: "Least noise coordinate; 0 takes the schedule's.", domain: .number(0...1e6), standard: .number(0))
  static let sigmaMax = ParameterDeclaration(
    name: "sigma-max", summary: "Greatest noise coordinate; 0 takes the schedule's.", domain: .number(0...1e6), standard: .number(0))

  static let terminal = ParameterDeclaration(
    name: "terminal",
    summary: "Of flow models: times are stretched so that the last evaluated one is this (diffusers' `shift_terminal`); 0 leaves them.",
    domain: .number(0...0.999), standard: .number(0), neutral: .number(0))

  static func final(_ values: ParameterValues) -> FinalLevel { FinalLevel(rawValue: values.choice("final") ?? "") ?? .zero }
}

/// Times of a flow model stretched towards the end: 1 − t is multiplied by one factor, so that pure noise stays and the last time is `terminal`.
func stretched(_ levels: [NoiseLevel], to terminal: Double, _ schedule: any NoiseSchedule, name: String) throws -> [NoiseLevel] {
  guard terminal > 0, let last = levels.last else { return levels }
  guard schedule.frame == .flow else {
    throw GridError("\(name) spacing with terminal=\(terminal) stretches times of flow models; \(schedule.summary) is none")
  }
  // A single level at pure noise has nothing to be stretched.
  guard last.sigma < 1 else { return levels }
  let factor = (1 - terminal) / (1 - last.sigma)
  return try levels.map { try schedule.level(coordinate: 1 - (1 - $0.sigma) * factor) }
}

/// What a network is told at a level between two trained timesteps. (α, σ) stay exact in all cases.
enum TimestepRounding: String, CaseIterable {
  /// The interpolated timestep, as diffusers' Euler and Heun.
  case exact
  /// The nearest trained one, ties to even, as diffusers' DPM schedulers with Karras sigmas.
  case round
  /// The trained one below, as diffusers' DPM schedulers with exponential sigmas.
  case floor

  init(_ values: ParameterValues) { self = TimestepRounding(rawValue: values.choice("timestep") ?? "") ?? .exact }

  func callAsFunction(_ timestep: Double) -> Double {
    switch self {
    case .exact: timestep
    case .round: timestep.rounded(.toNearestOrEven)
    case .floor: timestep.rounded(.down)
    }
  }
}
