internal import Foundation
public import QuickstepDiffusion
internal import QuickstepNN
internal import QuickstepTensor

/// Empirical model statistics for ``DPMSolverV3``, from DDIM runs of the model: see `StatisticsEstimator` for what is estimated and how.
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
    var estimator = StatisticsEstimator()
    (estimator.probes, estimator.isPerChannel) = (probes, isPerChannel)
    var runs: [StatisticsEstimator.Runs] = []
    var slopes: [Tensor] = []
    let pipeline = ImagePipeline(model)
    for start in stride(from: 0, to: request.prompts.count, by: batch) {
      let range = start..<min(start + batch, request.prompts.count)
      var part = request
      (part.prompts, part.seeds, part.batch) = (Array(request.prompts[range]), Array(request.seeds[range]), range.count)
      (part.solver, part.steps) = ("ddim", levels)
      (part.spacing, part.spacingParameters) = ("log-snr", ["final": "smallest"])
      let recorded = try pipeline.recorded(part)
      let paths = StatisticsEstimator.Runs(levels: recorded.levels, states: recorded.seen, denoised: recorded.denoised)
      let own = try estimator.slopes(of: pipeline.denoiser(for: part), paths, generator: Generator(seed: request.seeds[start]))
      slopes = slopes.isEmpty ? own : try withTensorErrors { zip(slopes, own).map { $0 + $1 } }
      runs.append(paths)
      progress?("runs", Double(range.upperBound) / Double(request.prompts.count))
    }
    return try estimator.statistics(runs, slopes: slopes, fingerprint: model.fingerprint)
  }
}
