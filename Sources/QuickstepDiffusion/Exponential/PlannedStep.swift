public import QuickstepNN

/// A step with its place: where it ends and what it decides.
public struct PlannedStep: Hashable, Sendable {
  /// The level of the new state.
  public var level: NoiseLevel
  /// The level the deterministic part ends at, where it is not ``level``: ancestral methods step below it and add noise.
  public var landing: NoiseLevel
  /// Standard deviation of noise added after the landing.
  public var addedNoise: Double
  /// Whether ``level`` is the next of the grid, and not a stage between two of them.
  public var finishesStep: Bool
  /// What it decides.
  public var decision: UnifiedStep

  /// - Parameters:
  ///   - level: the level of the new state.
  ///   - decision: what it decides.
  ///   - finishesStep: whether it is the next level of the grid.
  public init(to level: NoiseLevel, _ decision: UnifiedStep, finishesStep: Bool = true) {
    self.level = level
    landing = level
    addedNoise = 0
    self.finishesStep = finishesStep
    self.decision = decision
  }

  /// The same step through a level below its end, with noise up to it (ancestral sampling of k-diffusion).
  /// - Parameters:
  ///   - start: where the step begins.
  ///   - eta: share of the noise that is renewed.
  ///   - noiseScale: factor on the fresh noise.
  func ancestral(from start: NoiseLevel, eta: Double, noiseScale: Double) -> PlannedStep {
    let first = FirstOrderStep(from: start, to: level, eta: eta)
    guard first.noise > 0 else { return self }
    var step = self
    step.landing.sigma = first.state * start.sigma
    step.addedNoise = first.noise * noiseScale
    return step
  }
}

/// A solver that is a list of ``UnifiedStep``s. Methods that change such lists (a corrector, an anchor) go on top of any of them.
public protocol PlannedSolver: Solver {
  /// The decisions of a run over `grid`. Pure: the same arguments give the same list.
  /// - Throws: ``TableauError`` when the grid does not suit the solver.
  func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep]
  /// Whether the first prediction is x̂0 = 0 instead of an evaluation.
  var skipsFirstEvaluation: Bool { get }
  /// The model's statistics, for steps in ``PredictionKind/statistics``, and how they are integrated; `nil` where there are none.
  var statistics: (ModelStatistics, ModelStatistics.Quadrature)? { get }
}

extension PlannedSolver {
  /// The first prediction is an evaluation.
  public var skipsFirstEvaluation: Bool { false }
  /// None.
  public var statistics: (ModelStatistics, ModelStatistics.Quadrature)? { nil }

  /// The table of the plan.
  /// - Throws: what the plan throws; ``TableauError`` naming the step whose decision cannot be carried out.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    try UnifiedCompiler.compile(
      plan(schedule: schedule, grid: grid), solver: Self.name, schedule: schedule, grid: grid,
      skipsFirstEvaluation: skipsFirstEvaluation, basis: statistics.map { StatisticsStep(basis: $0.0, quadrature: $0.1) })
  }
}
