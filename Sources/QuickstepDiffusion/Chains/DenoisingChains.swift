import QuickstepNN
public import QuickstepTensor

/// Denoising MCMC (Kim & Ye 2022, arXiv 2209.14593): Markov chains over data and their noise level, whose quiet states are denoised into samples.
///
/// A state is y = x/α with its τ = σ/α. A step is one of Langevin–Gibbs: y moves by ``LangevinStep`` at τ, then τ is told anew from y. For every
/// output the chain makes some steps, the state with the least noise among them and where they began is denoised by any solver from its own level,
/// and the chain goes on from where it is.
///
/// Several chains run side by side, one per sample of the batch. They do not see each other. All levels are told as σ/α, so that models of any
/// schedule walk alike.
public struct DenoisingChains {
  /// Where chains are.
  public struct State {
    /// y, `[B, …]`.
    public var samples: Tensor
    /// σ/α of every sample.
    public var sigmas: [Double]

    /// - Parameters:
    ///   - samples: y, `[B, …]`.
    ///   - sigmas: B of them.
    public init(samples: Tensor, sigmas: [Double]) { (self.samples, self.sigmas) = (samples, sigmas) }
  }

  /// Where the chains are.
  public private(set) var state: State
  /// Every step so far.
  public private(set) var record = ChainRecord()
  /// Evaluations of the denoiser so far, of one chain.
  public private(set) var evaluations = 0
  /// The greatest factor by which σ may change in a step; infinite where there is none.
  public var greatestChange = Double.infinity
  private let schedule: any NoiseSchedule
  private let estimator: any NoiseLevelEstimator
  private let noise: SharedNoise

  /// Chains that begin at given samples; their noise is estimated.
  /// - Parameters:
  ///   - samples: y, `[B, …]`: data with noise of any level within the estimator's range, at the scale of data.
  ///   - guesses: the noise they were given, for estimators that begin with a guess; B of them.
  ///   - schedule: the model's.
  ///   - estimator: tells σ/α from y.
  ///   - noise: of the steps; asked for `[B, …]`, then for what the estimator draws, in every step.
  ///   - denoiser: the model.
  /// - Throws: ``SamplingError``; what denoiser and estimator throw.
  public init(
    from samples: Tensor, guesses: [Double], schedule: any NoiseSchedule, estimator: any NoiseLevelEstimator, noise: any NoiseSource,
    denoiser: any Denoiser
  ) throws {
    guard samples.rank >= 1, samples.size(0) == guesses.count else {
      throw SamplingError("\(guesses.count) noise levels for chains \(samples.shape); allowed: one per chain")
    }
    (self.schedule, self.estimator, self.noise) = (schedule, estimator, SharedNoise(noise))
    state = State(samples: samples, sigmas: guesses)
    state.sigmas = try estimated(before: guesses, denoiser)
  }

  /// Evaluations of the denoiser that a step costs.
  public var evaluationsPerStep: Int { 1 + estimator.evaluations }

  /// One Langevin–Gibbs step of every chain.
  /// - Parameters:
  ///   - step: how y moves.
  ///   - denoiser: the model.
  ///   - isRecorded: whether the step enters ``record``; steps of a burn-in do not.
  ///   - moved: called with x̂0 of the states before the step.
  public mutating func advance(
    _ step: LangevinStep, _ denoiser: any Denoiser, isRecorded: Bool = true, moved: ((Tensor) throws -> Void)? = nil
  ) throws {
    let table = try Tableau(samples: try levels(state.sigmas).map { try step.tableau(at: $0) })
    let before = state.sigmas
    let run = SamplingRun(table, from: state.samples)
    state.samples = try run.run(denoiser, noise: noise, progress: { try moved?($0.denoised) }).state
    evaluations += 1
    let free = try estimated(before: before, denoiser)
    state.sigmas = zip(free, before).map { min(max($0, $1 / greatestChange), $1 * greatestChange) }
    if isRecorded { record.add(state.sigmas, before: before, free: free) }
  }

  /// Makes steps and gives the state with the least noise among them and the one they begin with, chain by chain.
  public mutating func quietest(
    after count: Int, _ step: LangevinStep, _ denoiser: any Denoiser, moved: ((Tensor) throws -> Void)? = nil
  ) throws -> State {
    var quietest = state
    for _ in 0..<count {
      try advance(step, denoiser, moved: moved)
      let isQuieter = zip(state.sigmas, quietest.sigmas).map { $0 < $1 }
      guard isQuieter.contains(true) else { continue }
      let shape = [isQuieter.count] + Array(repeating: 1, count: state.samples.rank - 1)
      quietest.samples = try withTensorErrors {
        let mask = Tensor(isQuieter.map { $0 ? Float(1) : 0 }, shape: shape).greater(0.5).to(state.samples.device)
        return mask.where(state.samples, other: quietest.samples)
      }
      for (index, quieter) in isQuieter.enumerated() where quieter { quietest.sigmas[index] = state.sigmas[index] }
    }
    return quietest
  }

  /// The table that denoises samples from their own levels.
  /// - Parameters:
  ///   - sigmas: σ/α of every sample.
  ///   - grid: the levels from such a σ/α on; the same number for all.
  /// - Throws: ``SamplingError`` for solvers that choose levels by themselves; what compiling throws.
  public static func tableau(
    from sigmas: [Double], solver: any Solver, schedule: any NoiseSchedule, grid: (Double) throws -> Grid
  ) throws -> Tableau {
    let name = type(of: solver).declaration.name
    if solver is any AdaptiveSolver {
      throw SamplingError("'\(name)' chooses its steps for a whole batch; the states of chains differ in noise")
    }
    if try solver.ownGrid(schedule: schedule) != nil {
      throw SamplingError("'\(name)' is fitted to levels of its own; the states of chains begin elsewhere")
    }
    return try Tableau(samples: try sigmas.map { try solver.compile(schedule: schedule, grid: grid($0)) })
  }

  /// Samples at the scale of the model, x = α·y.
  static func scaled(_ state: State, _ levels: [NoiseLevel]) throws -> Tensor {
    try elementwiseCombination([(state.samples, Coefficient(.init(shape: [], samples: levels.count, values: levels.map(\.alpha))))])
  }

  /// Clean samples from noisy ones, each from its own level.
  /// - Parameters:
  ///   - state: where to begin.
  ///   - solver: any that takes the grid it is given.
  ///   - grid: the levels from a σ/α on.
  ///   - noise: for solvers that add some.
  ///   - progress: called after each step.
  /// - Returns: x̂0 `[B, …]`, and what it cost.
  public func denoised(
    _ state: State, solver: any Solver, grid: (Double) throws -> Grid, noise: any NoiseSource, denoiser: any Denoiser,
    progress: ((SamplingRun.Progress) throws -> Void)? = nil
  ) throws -> (samples: Tensor, evaluations: Int) {
    let table = try Self.tableau(from: state.sigmas, solver: solver, schedule: schedule, grid: grid)
    let (end, report) = try SamplingRun(table, from: Self.scaled(state, levels(state.sigmas)))
      .run(denoiser, noise: noise, progress: progress)
    return (end, report.evaluations)
  }

  private func levels(_ sigmas: [Double]) throws -> [NoiseLevel] { try sigmas.map { try schedule.level(coordinate: $0, in: .sigma) } }

  private mutating func estimated(before: [Double], _ denoiser: any Denoiser) throws -> [Double] {
    let samples = state.samples
    let normals =
      try estimator.draws > 0
      ? noise.draw(shape: [samples.size(0), estimator.draws], dtype: samples.dtype, device: samples.device) : .undefined
    evaluations += estimator.evaluations
    let range = estimator.range
    return try estimator.estimate(samples, before: before, normals: normals) { samples, sigmas in
      let levels = try levels(sigmas)
      var context = StepContext(step: 0, stepCount: 1, evaluation: 0, evaluationCount: 1, level: .amid(levels))
      context.sampleLevels = levels
      return try denoiser.denoised(Self.scaled(State(samples: samples, sigmas: sigmas), levels), context: context)
    }.map { min(max($0, range.lowerBound), range.upperBound) }
  }
}

/// A source that several runs draw from one after the other.
private final class SharedNoise: NoiseSource {
  private var source: any NoiseSource

  init(_ source: any NoiseSource) { self.source = source }

  func draw(shape: [Int], dtype: DType, device: Device) throws -> Tensor { try source.draw(shape: shape, dtype: dtype, device: device) }
}
