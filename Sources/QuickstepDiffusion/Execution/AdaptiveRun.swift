import QuickstepNN
import QuickstepTensor

/// Runs an ``AdaptiveSolver``: compiles the tables of one step, runs them, and takes the step or tries a shorter one.
///
/// With E = max over the batch of rms((x_high − x_low)/max(atol, rtol·max(|x_low|, |x_before|))), where x_before is the lower result of
/// the step before, a step is taken where E ≤ 1 (Lu et al. 2022, arXiv 2206.00927, algorithm 3). The pictures of a batch share their steps, so
/// that a picture depends on its batch. A rejected step costs one evaluation less than the first try, since the first one is still known.
struct AdaptiveRun {
  let solver: any AdaptiveSolver
  let schedule: any NoiseSchedule
  let grid: Grid
  let noise: any NoiseSource
  let checksFinite: Bool

  /// One accepted step.
  struct Progress {
    let state: Tensor
    let denoised: Tensor
    /// Part of the way in λ that is done.
    let fraction: Double
  }

  private(set) var evaluations = 0
  private(set) var rejected = 0
  private var accepted = 0
  /// The first answer of the step being tried: x̂0 at its beginning.
  private var first: Tensor?

  init(solver: any AdaptiveSolver, schedule: any NoiseSchedule, grid: Grid, noise: any NoiseSource, checksFinite: Bool) {
    (self.solver, self.schedule, self.grid, self.noise, self.checksFinite) = (solver, schedule, grid, noise, checksFinite)
  }

  /// - Throws: ``SamplingError`` when more evaluations are needed than allowed; `CancellationError`; what the denoiser throws.
  mutating func run(_ denoiser: any Denoiser, initial: Tensor, progress: (Progress) throws -> Void) throws -> Tensor {
    var state = initial
    var level = grid.levels[0]
    let final = grid.levels[grid.steps]
    // λ has no beginning at pure noise: the grid's first step is taken as it is.
    if level.alpha == 0 {
      state = try plain(state, level, grid.levels[1], denoiser, progress)
      level = grid.levels[1]
    }
    let end = final.sigma > 0 ? final : try schedule.smallest()
    let start = level.lambda
    var before = state
    var h = solver.firstStep
    while level.lambda < end.lambda {
      let isLast = h >= end.lambda - level.lambda
      let target = try isLast ? end : schedule.level(lambda: level.lambda + h)
      guard target.lambda > level.lambda else {
        throw SamplingError("adaptive steps have become too short to count at λ \(level.lambda); raise the tolerances")
      }
      let trial = try step(state, level, target, denoiser)
      let error = try Self.error(trial.lower, trial.higher, before, solver.tolerance)
      guard error.isFinite else { throw SamplingError("the error of an adaptive step at λ \(level.lambda) is not finite") }
      h = solver.nextStep(after: target.lambda - level.lambda, error: error)
      guard error <= 1 else {
        rejected += 1
        continue
      }
      (before, state, level, first) = (trial.lower, trial.higher, target, nil)
      accepted += 1
      try progress(
        Progress(state: state, denoised: trial.denoised, fraction: min(1, (level.lambda - start) / (end.lambda - start))))
    }
    return final.sigma > 0 || level.sigma == 0 ? state : try plain(state, level, final, denoiser, progress)
  }

  /// Steps that both orders agree to be first order: from pure noise and to clean data.
  private mutating func plain(
    _ state: Tensor, _ from: NoiseLevel, _ to: NoiseLevel, _ denoiser: any Denoiser, _ progress: (Progress) throws -> Void
  ) throws -> Tensor {
    let table = try solver.compile(schedule: schedule, grid: Grid(levels: [from, to], spacing: grid.spacing))
    var answers: [Tensor] = []
    let result = try execute(table, state, &answers, denoiser)
    accepted += 1
    try progress(Progress(state: result, denoised: answers[answers.count - 1], fraction: to.sigma > 0 ? 0 : 1))
    first = nil
    return result
  }

  private mutating func step(
    _ state: Tensor, _ from: NoiseLevel, _ to: NoiseLevel, _ denoiser: any Denoiser
  ) throws -> (lower: Tensor, higher: Tensor, denoised: Tensor) {
    let tables = try solver.tables(from: from, to: to, schedule: schedule)
    var answers = first.map { [$0] } ?? []
    let higher = try execute(tables.higher, state, &answers, denoiser)
    first = answers[0]
    let lower = try execute(tables.lower, state, &answers, denoiser)
    return (lower, higher, answers[answers.count - 1])
  }

  /// Runs a table; evaluations that have been answered before are not made again.
  private mutating func execute(_ table: Tableau, _ state: Tensor, _ answers: inout [Tensor], _ denoiser: any Denoiser) throws -> Tensor {
    let executor = try TableauExecutor(table, initial: state, noise: noise, checksFinite: checksFinite)
    var call = 0
    while let (seen, context) = try executor.nextEvaluation() {
      if call == answers.count { answers.append(try evaluate(seen, context.level, denoiser)) }
      try executor.accept(denoised: answers[call])
      call += 1
    }
    return try executor.result
  }

  private mutating func evaluate(_ state: Tensor, _ level: NoiseLevel, _ denoiser: any Denoiser) throws -> Tensor {
    try Task.checkCancellation()
    guard evaluations < solver.evaluationLimit else {
      throw SamplingError(
        "adaptive steps have taken \(evaluations) evaluations and come to λ \(level.lambda) "
          + "(\(accepted) steps taken, \(rejected) rejected); raise max-evaluations or the tolerances")
    }
    let context = StepContext(
      step: accepted, stepCount: accepted + 1, evaluation: evaluations, evaluationCount: solver.evaluationLimit, level: level)
    evaluations += 1
    return try withTensorErrors { try denoiser.denoised(state, context: context) }
  }

  /// How many tolerances the two results differ by.
  private static func error(
    _ lower: Tensor, _ higher: Tensor, _ before: Tensor, _ tolerance: (absolute: Double, relative: Double)
  ) throws -> Double {
    try withTensorErrors {
      let scale = (lower.abs().maximum(before.abs()) * tolerance.relative).clamp(min: .real(tolerance.absolute))
      let ratio = ((higher - lower) / scale).square()
      return ratio.reshape([ratio.size(0), -1]).to(.float64).mean([1]).amax().sqrt()
    }.item()
  }
}
