public import QuickstepNN
public import QuickstepTensor

/// Estimates ``ModelStatistics`` from runs of a denoiser.
///
/// l(λ) = E[σ·diag(∂ε̂/∂x)], which makes N = σ·ε̂ − l·x vary least with x; then f = N/α, and per element s and b are the least-squares fit of
/// df/dλ by s·f + b over runs (Zheng et al. 2023, section 3.2 and appendix C.1.1). Diagonals are estimated by products with random signs
/// (Hutchinson 1990), derivatives along runs by differences between neighbouring levels, whose error falls with the square of their distance.
public struct StatisticsEstimator: Sendable {
  /// Runs of one batch: states at rising λ, and what the denoiser makes of them, `[B, …]` each.
  public struct Runs {
    /// The levels of the states.
    public var levels: [NoiseLevel]
    /// What the denoiser was shown.
    public var states: [Tensor]
    /// x̂0 of the states.
    public var denoised: [Tensor]

    /// - Parameters: as many of each.
    public init(levels: [NoiseLevel], states: [Tensor], denoised: [Tensor]) {
      (self.levels, self.states, self.denoised) = (levels, states, denoised)
    }
  }

  /// Random signs per sample and level.
  public var probes = 1
  /// One value per channel of `[B, C, H, W]` in place of one per element: smoother, and of any size.
  public var isPerChannel = false
  /// A share of the mean variance that is added to every element's: where an element hardly varies from run to run there is nothing to fit, and
  /// this draws s to 0 there. 0 is plain least squares.
  public var damping = 1e-2

  /// One random sign per sample and level, one value per element.
  public init() {}

  /// Σ over the samples of one batch of estimates of diag(∂x̂0/∂x) at each level, in the shape of a sample.
  /// - Parameter denoiser: one that gradients pass through.
  /// - Throws: `CancellationError` between two levels; what the denoiser throws; `TensorError`.
  public func slopes(of denoiser: any Denoiser, _ runs: Runs, generator: Generator) throws -> [Tensor] {
    try runs.levels.enumerated().map { index, level in
      try Task.checkCancellation()
      let context = StepContext(
        step: index, stepCount: runs.levels.count, evaluation: index, evaluationCount: runs.levels.count, level: level)
      return try withTensorErrors {
        // A copy made outside of inference mode, which gradients may pass through.
        let state = runs.states[index].clone()
        var sum = state.zerosLike()
        for _ in 0..<probes {
          let signs = Tensor.rand(state.shape, generator: generator).less(0.5).to(state.dtype) * 2 - 1
          let input = state.clone()
          input.setRequiresGradient(true)
          let denoised = try denoiser.denoised(input, context: context)
          let gradient = try Tensor.gradients(of: [denoised], weightedBy: [signs], withRespectTo: [input])[0]
          sum = sum + gradient * signs
        }
        return (sum / Double(probes)).sum([0]).detach()
      }
    }
  }

  /// l from the slopes, then s and b by least squares over all runs.
  /// - Parameters:
  ///   - batches: on the same levels, λ finite and rising.
  ///   - slopes: Σ over all samples of diag(∂x̂0/∂x) at each level, in the shape of a sample.
  ///   - fingerprint: of the model.
  /// - Throws: ``ScheduleError`` for levels that do not fit and for statistics that are not finite; `TensorError`.
  public func statistics(_ batches: [Runs], slopes: [Tensor], fingerprint: String? = nil) throws -> ModelStatistics {
    guard let levels = batches.first?.levels, levels.count >= 2, slopes.count == levels.count,
      batches.allSatisfy({ $0.levels == levels && $0.states.count == levels.count && $0.denoised.count == levels.count })
    else { throw ScheduleError("statistics need states, predictions and slopes at the same levels, at least two") }
    let count = batches.reduce(0) { $0 + ($1.states.first?.size(0) ?? 0) }
    let (rests, ls): ([Tensor], [Tensor]) = try withInference {
      try withTensorErrors {
        // σ·∂ε̂/∂x = 1 − α·∂x̂0/∂x.
        let ls = zip(slopes, levels).map { slope, level in spread(1 - slope * (level.alpha / Double(count))) }
        let rests = levels.indices.map { index in
          let (state, denoised) = (Tensor.cat(batches.map { $0.states[index] }), Tensor.cat(batches.map { $0.denoised[index] }))
          return state * ((1 - ls[index]) / levels[index].alpha) - denoised
        }
        return (rests, ls)
      }
    }
    var (s, b): ([Double], [Double]) = ([], [])
    for index in levels.indices {
      let (slope, offset) = try withInference { try withTensorErrors { fit(rests[index], change(of: rests, at: index, levels)) } }
      s += try withTensorErrors { slope.to(.float64) }.scalars(Double.self)
      b += try withTensorErrors { offset.to(.float64) }.scalars(Double.self)
    }
    let l = try ls.flatMap { part in try withTensorErrors { part.to(.float64) }.scalars(Double.self) }
    return try ModelStatistics(lambdas: levels.map(\.lambda), shape: ls[0].shape, l: l, s: s, b: b, fingerprint: fingerprint)
  }

  /// df/dλ at a level.
  private func change(of rests: [Tensor], at index: Int, _ levels: [NoiseLevel]) -> Tensor {
    let (before, after) = (max(0, index - 1), min(levels.count - 1, index + 1))
    return (rests[after] - rests[before]) / (levels[after].lambda - levels[before].lambda)
  }

  /// s and b of one level.
  private func fit(_ rest: Tensor, _ change: Tensor) -> (slope: Tensor, offset: Tensor) {
    let dimensions = isPerChannel ? [0] + Array(2..<rest.rank) : [0]
    let (meanRest, meanChange) = (rest.mean(dimensions, keepdim: true), change.mean(dimensions, keepdim: true))
    let together = ((rest - meanRest) * (change - meanChange)).mean(dimensions, keepdim: true)
    let variance = (rest - meanRest).square().mean(dimensions, keepdim: true)
    let slope = together / (variance + variance.mean() * damping + 1e-12)
    return (slope, meanChange - slope * meanRest)
  }

  /// Per channel where asked for.
  private func spread(_ values: Tensor) -> Tensor { isPerChannel ? values.mean(Array(1..<values.rank), keepdim: true) : values }
}
