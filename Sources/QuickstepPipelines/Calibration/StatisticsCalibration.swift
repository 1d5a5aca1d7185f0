internal import Foundation
public import QuickstepDiffusion
internal import QuickstepNN
internal import QuickstepTensor

/// Empirical model statistics for ``DPMSolverV3``: l from the network's derivative by its input, s and b from how the rest changes along paths.
///
/// l(λ) = E[σ·diag(∂ε̂/∂x)], which makes N = σ·ε̂ − l·x vary least with x; then f = N/α, and per element s and b are the least-squares fit of
/// df/dλ by s·f + b over runs (Zheng et al. 2023, section 3.2 and appendix). Diagonals are estimated by products with random signs (Hutchinson
/// 1990), derivatives along paths by differences between neighbouring levels.
public struct StatisticsCalibration: Sendable {
  /// What the runs are made of.
  public var request: GenerationRequest
  /// Levels of the statistics, evenly spaced in λ.
  public var levels = 60
  /// Random signs per sample and level.
  public var probes = 1
  /// One value per channel in place of one per element: smoother, and of any size.
  public var isPerChannel = false
  /// Runs made at once.
  public var batch = 8
  /// Called with what is being done and the fraction that is done.
  public var progress: (@Sendable (String, Double) -> Void)?

  /// Statistics of runs of `request`.
  public init(_ request: GenerationRequest) { self.request = request }

  /// - Parameter model: loaded with plain layers, which gradients pass through.
  /// - Throws: `GenerationError` for numbers that do not fit together; what generating throws.
  public func statistics(_ model: LoadedModel) throws -> ModelStatistics {
    guard levels >= 4, probes >= 1, batch >= 1, request.prompts.count >= 4 else {
      throw GenerationError(
        "\(levels) levels, \(probes) probes, \(request.prompts.count) runs in batches of \(batch); allowed: 4, 1, 4, 1 and above")
    }
    guard model.kernels == .plain else { throw GenerationError("statistics need a model with plain layers (--kernels plain)") }
    var runs: [RecordedPaths] = []
    var slopes: [Tensor] = []
    let pipeline = ImagePipeline(model)
    for start in stride(from: 0, to: request.prompts.count, by: batch) {
      let range = start..<min(start + batch, request.prompts.count)
      var part = request
      (part.prompts, part.seeds, part.batch) = (Array(request.prompts[range]), Array(request.seeds[range]), range.count)
      (part.solver, part.steps) = ("ddim", levels)
      (part.spacing, part.spacingParameters) = ("log-snr", ["final": "smallest"])
      let paths = try pipeline.recorded(part)
      let own = try diagonals(paths, pipeline.denoiser(for: part), seed: request.seeds[start])
      slopes = slopes.isEmpty ? own : try withTensorErrors { zip(slopes, own).map { $0 + $1 } }
      runs.append(paths)
      progress?("runs", Double(range.upperBound) / Double(request.prompts.count))
    }
    return try fitted(runs, slopes, model)
  }

  /// Σ over samples of an estimate of diag(∂x̂0/∂x) at each level, `[C, H, W]`.
  private func diagonals(_ paths: RecordedPaths, _ denoiser: any Denoiser, seed: UInt64) throws -> [Tensor] {
    let generator = try Generator(seed: seed)
    return try paths.levels.enumerated().map { index, level in
      let context = StepContext(
        step: index, stepCount: paths.levels.count, evaluation: index, evaluationCount: paths.levels.count, level: level)
      return try withTensorErrors {
        // A copy made outside of inference mode, which gradients may pass through.
        let state = paths.seen[index].clone()
        var sum = state.zerosLike()
        for _ in 0..<probes {
          let signs = Tensor.rand(state.shape, generator: generator).less(0.5).to(.float32) * 2 - 1
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

  /// l from the mean slopes, then s and b by least squares over the runs.
  private func fitted(_ runs: [RecordedPaths], _ slopes: [Tensor], _ model: LoadedModel) throws -> ModelStatistics {
    let levels = runs[0].levels
    let count = request.prompts.count
    let (rests, ls): ([Tensor], [Tensor]) = try withInference {
      try withTensorErrors {
        // σ·∂ε̂/∂x = 1 − α·∂x̂0/∂x.
        let ls = zip(slopes, levels).map { slope, level in spread(1 - slope * (level.alpha / Double(count))) }
        let rests = levels.indices.map { index in
          let (state, denoised) = (Tensor.cat(runs.map { $0.seen[index] }), Tensor.cat(runs.map { $0.denoised[index] }))
          return state * ((1 - ls[index]) / levels[index].alpha) - denoised
        }
        return (rests, ls)
      }
    }
    var (s, b): ([Double], [Double]) = ([], [])
    for index in levels.indices {
      let (before, after) = (max(0, index - 1), min(levels.count - 1, index + 1))
      let (slope, offset) = try withInference {
        try withTensorErrors {
          let change = (rests[after] - rests[before]) / (levels[after].lambda - levels[before].lambda)
          let rest = rests[index]
          let dimensions = isPerChannel ? [0, 2, 3] : [0]
          let (meanRest, meanChange) = (rest.mean(dimensions, keepdim: true), change.mean(dimensions, keepdim: true))
          let together = ((rest - meanRest) * (change - meanChange)).mean(dimensions, keepdim: true)
          let variance = (rest - meanRest).square().mean(dimensions, keepdim: true)
          // Where a pixel hardly varies from run to run there is nothing to fit: a share of the mean variance draws s to 0 there.
          let slope = together / (variance + variance.mean() * 1e-2 + 1e-12)
          return (slope, meanChange - slope * meanRest)
        }
      }
      s += try withTensorErrors { slope.to(.float64) }.scalars(Double.self)
      b += try withTensorErrors { offset.to(.float64) }.scalars(Double.self)
    }
    let l = try ls.flatMap { part in try withTensorErrors { part.to(.float64) }.scalars(Double.self) }
    return try ModelStatistics(
      lambdas: levels.map(\.lambda), shape: ls[0].shape, l: l, s: s, b: b, fingerprint: model.fingerprint)
  }

  /// Per channel where asked for.
  private func spread(_ values: Tensor) -> Tensor { isPerChannel ? values.mean([1, 2], keepdim: true) : values }
}
