import Foundation

/// A noise level of the forward process: x = α·x0 + σ·noise. The inner convention of the whole package (design section 5).
public struct NoiseLevel: Hashable, Sendable, Codable {
  /// What the network is told as `timestep` at this level, in the model's own units (0…999 for discrete VP models, 0…1000 for flow models).
  public var timestep: Double
  /// Signal scale α ≥ 0.
  public var alpha: Double
  /// Noise scale σ ≥ 0.
  public var sigma: Double

  /// - Parameters:
  ///   - timestep: what the network is told, in the model's own units.
  ///   - alpha: signal scale α ≥ 0.
  ///   - sigma: noise scale σ ≥ 0.
  public init(timestep: Double, alpha: Double, sigma: Double) {
    self.timestep = timestep
    self.alpha = alpha
    self.sigma = sigma
  }

  /// Half the log signal-to-noise ratio, log(α/σ); +∞ for clean data, −∞ for pure noise.
  public var lambda: Double { sigma == 0 ? .infinity : alpha == 0 ? -.infinity : log(alpha / sigma) }
}

/// Everything about the current model evaluation that anything inside the model may want to know. Passed explicitly; nobody counts calls.
public struct StepContext: Sendable, Hashable {
  /// Index of the solver step, from 0.
  public var step: Int
  /// Number of solver steps of the run.
  public var stepCount: Int
  /// Index of this evaluation within the run, from 0. It differs from `step` for solvers that evaluate more than once per step.
  /// Caches key their state by this, never by the timestep's value: some solvers visit a timestep twice.
  public var evaluation: Int
  /// Number of evaluations of the run.
  public var evaluationCount: Int
  /// Where the evaluation takes place. Where samples stand at levels of their own, the one amid them: what decisions for the whole batch go by.
  public var level: NoiseLevel
  /// The level of every sample of the batch (of one branch), where they differ; `nil` where all are at ``level``.
  public var sampleLevels: [NoiseLevel]?
  /// Names of the guidance branches that are stacked along the batch dimension of this call, in order.
  public var branches: [String]

  /// - Parameters:
  ///   - step: index of the solver step, 0..<stepCount.
  ///   - stepCount: solver steps of the run.
  ///   - evaluation: index of this evaluation, 0..<evaluationCount.
  ///   - evaluationCount: evaluations of the run.
  ///   - level: the noise level of the evaluation.
  ///   - branches: guidance branches stacked along the batch dimension, in order; empty outside of guided runs.
  public init(step: Int, stepCount: Int, evaluation: Int, evaluationCount: Int, level: NoiseLevel, branches: [String] = []) {
    self.step = step
    self.stepCount = stepCount
    self.evaluation = evaluation
    self.evaluationCount = evaluationCount
    self.level = level
    self.branches = branches
  }
}
