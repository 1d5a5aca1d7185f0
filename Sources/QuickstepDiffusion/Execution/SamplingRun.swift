import QuickstepNN
public import QuickstepTensor

/// The whole loop: where to start, which table, when to stop.
public struct SamplingRun: Sendable {
  /// The table that will be run. Printable.
  public let tableau: Tableau
  /// Steps of the grid left out at the beginning, because the run starts from a given state.
  public let skippedSteps: Int
  private let start: Start
  /// The solver, where it chooses its steps while running, with the levels it runs between.
  private let adaptive: (solver: any AdaptiveSolver, schedule: any NoiseSchedule, grid: Grid)?

  /// The initial state.
  public struct Start: Sendable {
    enum Kind: Sendable {
      case noise(shape: [Int], dtype: DType, device: Device, scale: NoiseScale)
      case given(Tensor)
      case from(Tensor, strength: Double)
    }
    let kind: Kind

    /// Pure noise.
    /// - Parameters:
    ///   - shape: [B, C, H, W] or any other with the batch first.
    ///   - scale: its standard deviation at the first level.
    public static func noise(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu, scale: NoiseScale = .marginal) -> Start {
      Start(kind: .noise(shape: shape, dtype: dtype, device: device, scale: scale))
    }

    /// A state that already is at the grid's first level.
    public static func given(_ state: Tensor) -> Start { Start(kind: .given(state)) }

    /// Clean data, noised to a level on the way: image-to-image. Of n steps the last ⌊strength·n⌋ are run, at least one.
    /// - Parameters:
    ///   - clean: x0, [B, …].
    ///   - strength: 0…1; 1 keeps nothing but what the first level lets through.
    public static func from(_ clean: Tensor, strength: Double) -> Start { Start(kind: .from(clean, strength: strength)) }
  }

  /// Standard deviation of a start from noise alone.
  public enum NoiseScale: String, Sendable, Codable {
    /// √(α² + σ²): the spread of data of unit variance at that level. 1 for VP models, as diffusers' DDIM, DPM and `leading` Euler use.
    case marginal
    /// σ: no data at all, as k-diffusion and diffusers' `linspace` and `trailing` Euler use.
    case sigma
  }

  /// What a run cost.
  public struct Report: Sendable, Hashable {
    /// Model evaluations made.
    public var evaluations = 0
    /// Solver steps done.
    public var steps = 0
    /// Steps that an adaptive solver computed and did not take.
    public var rejectedSteps = 0
    /// Wall-clock seconds of each step, model and solver together.
    public var stepSeconds: [Double] = []
  }

  /// What the progress callback sees after each step.
  public struct Progress {
    /// The step that was just done, from 0.
    public let step: Int
    /// Number of steps of the run.
    public let stepCount: Int
    /// The state after it.
    public let state: Tensor
    /// The last x̂0 of the step: the best preview there is.
    public let denoised: Tensor
  }

  /// - Parameters:
  ///   - solver: makes the table.
  ///   - schedule: the model's.
  ///   - grid: all levels of a full run; a start from a given image takes a part of it.
  ///   - start: the initial state.
  ///   - stopAfter: number of steps after which to stop early; `nil` runs to the end.
  ///   - restarts: steps before which the solver forgets what it made, counted from the first that is run.
  ///   - change: applied to the table; must keep its evaluations.
  /// - Throws: ``SamplingError`` for a strength outside 0…1; what compiling throws.
  public init(
    solver: any Solver, schedule: any NoiseSchedule, grid: Grid, start: Start, stopAfter: Int? = nil,
    restarts: [Int] = [], change: (Tableau) throws -> Tableau = { $0 }
  ) throws {
    var skipped = 0
    if case .from(_, let strength) = start.kind {
      guard strength >= 0, strength <= 1 else { throw SamplingError("strength is \(strength); allowed: 0…1") }
      skipped = grid.steps - max(1, min(grid.steps, Int(strength * Double(grid.steps))))
    }
    // The solver is compiled on the part that is run, so that a multistep method warms up there and reads nothing that was not made.
    let full = try solver.beginning(at: skipped, of: grid.steps).compile(
      schedule: schedule, grid: grid.suffix(fromStep: skipped), restarts: restarts)
    tableau = try change(stopAfter.map { try full.prefix(steps: $0) } ?? full)
    skippedSteps = skipped
    self.start = start
    adaptive = try (solver as? any AdaptiveSolver).map { solver in
      guard stopAfter == nil else { throw SamplingError("adaptive steps cannot be stopped after a number of them (\(stopAfter ?? 0))") }
      return (solver, schedule, try grid.suffix(fromStep: skipped))
    }
  }

  /// A run of a table that is at hand, from a state at its initial level.
  /// - Parameters:
  ///   - tableau: the table; of a batch whose samples have tables of their own, ``Tableau/init(samples:)``.
  ///   - state: `[B, …]`, every sample at the initial level of its table.
  public init(_ tableau: Tableau, from state: Tensor) {
    self.tableau = tableau
    (skippedSteps, start, adaptive) = (0, .given(state), nil)
  }

  /// Runs to the end. Cancellation of the surrounding task is honoured between evaluations.
  /// - Parameters:
  ///   - denoiser: the model.
  ///   - noise: asked for the initial noise first (unless a state was given), then for the table's.
  ///   - checksFinite: refuse predictions that hold NaN or infinities.
  ///   - change: applied to the state after every step, before anybody sees it.
  ///   - progress: called after each step; what it throws ends the run.
  /// - Returns: the final state and what the run cost.
  public func run(
    _ denoiser: any Denoiser, noise: any NoiseSource, checksFinite: Bool = true, change: TableauExecutor.StateChange? = nil,
    progress: ((Progress) throws -> Void)? = nil
  ) throws -> (state: Tensor, report: Report) {
    var noise = noise
    let initial = try initialState(&noise)
    if let adaptive {
      guard change == nil else { throw SamplingError("adaptive steps cannot be changed between them, as inpainting would") }
      let run = AdaptiveRun(
        solver: adaptive.solver, schedule: adaptive.schedule, grid: adaptive.grid, noise: noise, checksFinite: checksFinite)
      return try self.run(run, denoiser, initial, progress)
    }
    let executor = try TableauExecutor(tableau, initial: initial, noise: noise, checksFinite: checksFinite, change: change)
    var report = Report()
    let clock = ContinuousClock()
    var stepStart = clock.now
    while let (state, context) = try executor.nextEvaluation() {
      try Task.checkCancellation()
      let denoised = try withTensorErrors { try denoiser.denoised(state, context: context) }
      try executor.accept(denoised: denoised)
      report.evaluations += 1
      while report.steps < executor.completedSteps {
        let now = clock.now
        report.stepSeconds.append(seconds(now - stepStart))
        stepStart = now
        try progress?(Progress(step: report.steps, stepCount: tableau.stepCount, state: executor.state, denoised: denoised))
        report.steps += 1
      }
    }
    return (try executor.result, report)
  }

  /// Steps chosen while running. How many there will be is estimated from the way that is done.
  private func run(
    _ adaptive: AdaptiveRun, _ denoiser: any Denoiser, _ initial: Tensor, _ progress: ((Progress) throws -> Void)?
  ) throws -> (state: Tensor, report: Report) {
    var (adaptive, report) = (adaptive, Report())
    let clock = ContinuousClock()
    var stepStart = clock.now
    let state = try adaptive.run(denoiser, initial: initial) { step in
      let now = clock.now
      report.stepSeconds.append(seconds(now - stepStart))
      stepStart = now
      let done = report.steps + 1
      let expected = step.fraction > 0 ? max(done, Int((Double(done) / step.fraction).rounded(.up))) : done
      try progress?(Progress(step: report.steps, stepCount: expected, state: step.state, denoised: step.denoised))
      report.steps = done
    }
    (report.evaluations, report.rejectedSteps) = (adaptive.evaluations, adaptive.rejected)
    return (state, report)
  }

  /// The state at the table's initial level.
  func initialState(_ noise: inout any NoiseSource) throws -> Tensor {
    let level = tableau.initialLevel
    switch start.kind {
    case .given(let state): return state
    case .noise(let shape, let dtype, let device, let scale):
      let drawn = try noise.draw(shape: shape, dtype: dtype, device: device)
      let factor = scale == .sigma ? level.sigma : (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()
      return factor == 1 ? drawn : try linearCombination([(drawn, factor)])
    case .from(let clean, _):
      let drawn = try noise.draw(shape: clean.shape, dtype: clean.dtype, device: clean.device)
      return try linearCombination([(clean, level.alpha), (drawn, level.sigma)])
    }
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
