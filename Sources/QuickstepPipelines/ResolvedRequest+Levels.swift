import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
import QuickstepTensor

extension ResolvedRequest {
  /// The levels of a whole run and where they come from: the solver's own, or a spacing's.
  static func levels(
    _ request: GenerationRequest, model: LoadedModel, choice: SchedulerChoice, solver: any Solver, schedule: any NoiseSchedule,
    walks: Bool
  ) throws -> (grid: Grid, spacing: String, parameters: [String: String], warnings: [String]) {
    let (match, scheduler) = (choice.match, choice.configuration)
    let asked = match.counted(request.steps ?? model.defaults.steps, request.solverParameters)?.steps ?? request.steps
    let wanted = asked ?? model.defaults.steps
    if walks { return try walkedLevels(request, match: match, solver: solver, schedule: schedule, steps: wanted) }
    if let own = try solver.ownGrid(schedule: schedule) {
      try checkSpacing(request, match.solver.declaration.name, own: own)
      return (own, own.spacing, [:], [])
    }
    let isAdaptive = solver is any AdaptiveSolver
    if isAdaptive { try checkAdaptive(request) }
    let standard = request.spacing == nil && match.alias?.spacing == nil
    let name = request.spacing ?? match.alias?.spacing ?? scheduler.spacing
    let named = request.spacing == nil ? match.alias?.spacingParameters ?? [:] : [:]
    let implied = try standard ? scheduler.spacingParameters(for: match.solver.declaration.name, steps: wanted) : named
    let found = try AllGrids.match(name)
    let parameters = implied.merging(found.parameters(request.spacingParameters)) { _, given in given }
    let own = found.spacing.declaration.name
    let spacing = try AllGrids.make(own, parameters)
    let grid = try spacing.grid(schedule: schedule, steps: asked ?? spacing.fixedSteps ?? model.defaults.steps)
    let warning = isAdaptive ? idleSteps(request, grid) : nil
    return (grid, own, parameters, warning.map { [$0] } ?? [])
  }

  /// A solver that brings its levels takes no others.
  private static func checkSpacing(_ request: GenerationRequest, _ name: String, own grid: Grid) throws {
    if let spacing = request.spacing, spacing != grid.spacing {
      throw GenerationError("the grid '\(spacing)' has no effect on '\(name)', whose levels are fitted; leave it out")
    }
    if let steps = request.steps, steps != grid.steps {
      throw GenerationError("\(steps) steps were asked for; the plan of '\(name)' was fitted to \(grid.steps)")
    }
  }

  /// What has to know how many steps there will be.
  private static func checkAdaptive(_ request: GenerationRequest) throws {
    guard !request.recordsTrajectory else { throw GenerationError("adaptive steps have no trajectory of a known length to be recorded") }
    let interval = request.guidanceInterval
    guard interval == 0...1 else {
      throw GenerationError(
        "adaptive steps are chosen while running, so that no fraction of them is known; the guidance interval is \(interval), allowed: "
          + "0…1")
    }
    if let control = request.pictures.controls.first(where: { $0.interval != 0...1 }) {
      throw GenerationError(
        "adaptive steps are chosen while running, so that no fraction of them is known; control acts from \(control.interval.lowerBound) "
          + "to \(control.interval.upperBound), allowed: from 0 to 1")
    }
  }

  /// What becomes of a number of adaptive steps that was asked for, where it does not say at which level a run begins late.
  private static func idleSteps(_ request: GenerationRequest, _ grid: Grid) -> String? {
    guard request.steps != nil, request.pictures.start == nil, request.start == nil, request.span == 0...1 else { return nil }
    let chosen = "adaptive steps are chosen while running; the number of steps "
    return grid.levels[0].alpha > 0
      ? chosen + "has no effect" : chosen + "only says where the first one ends, which leads from pure noise to the grid's next level"
  }
}

extension ResolvedRequest {
  /// What noise of unit variance is multiplied by at a level that a run begins at with noise alone: √(α² + σ²), the spread of data
  /// of unit variance there. Flow models begin at the noise as it is (α + σ), though some grids begin a little below pure noise.
  func noiseScale(at level: NoiseLevel) -> Double {
    schedule.frame == .flow ? level.alpha + level.sigma : (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()
  }

  /// Given noise of unit variance, scaled to the first level.
  func initialLatents(_ range: Range<Int>) throws -> Tensor? {
    guard let latents = given(range).latents else { return nil }
    return try linearCombination([(latents, noiseScale(at: grid.levels[0]))])
  }

  /// Noise drawn for the first level.
  /// - Parameter shape: `[B, C, H, W]`.
  func drawnLatents(_ shape: [Int], _ noise: inout any NoiseSource, device: Device) throws -> Tensor {
    let drawn = try noise.draw(shape: shape, dtype: .float32, device: device)
    let scale = noiseScale(at: grid.levels[0])
    return scale == 1 ? drawn : try linearCombination([(drawn, scale)])
  }
}

extension LoadedModel {
  /// Length of the sequence that a transformer makes of a picture of this size, in pixels, which some schedules depend on
  /// (``SchedulerConfiguration/schedule(tokens:)``).
  package func sequenceLength(width: Int, height: Int) -> Int {
    [height, width].reduce(1) { $0 * max(1, $1 / pixelsPerSample / backbone.sizeMultiple) }
  }
}
