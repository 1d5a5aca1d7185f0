internal import QuickstepFormats
internal import Foundation

/// Settings of ``AdamW`` and its learning-rate curve.
public struct OptimiserPlan: Codable, Sendable, Hashable {
  /// The largest learning rate, reached at the end of the warm-up.
  public var learningRate: Double
  /// Where the learning rate arrives after the last step; at most `learningRate`.
  public var finalLearningRate: Double
  /// Steps over which the rate rises from 0.
  public var warmup: Int
  /// Decay of the mean of the gradients per step, in 0..<1.
  public var beta1: Double
  /// Decay of the mean of their squares per step, in 0..<1.
  public var beta2: Double
  /// Added to the root of the mean square; above 0.
  public var epsilon: Double
  /// Decoupled weight decay, on matrices and convolution kernels only; not negative.
  public var weightDecay: Double
  /// Gradients with a larger total norm are scaled down to it; 0 turns this off.
  public var clip: Double

  enum CodingKeys: String, CodingKey {
    case warmup, beta1, beta2, epsilon, clip
    case learningRate = "learning_rate"
    case finalLearningRate = "final_learning_rate"
    case weightDecay = "weight_decay"
  }

  /// The standard values are PyTorch's, with clipping at norm 1. Ranges are checked when a plan is read from a file.
  public init(
    learningRate: Double, finalLearningRate: Double = 0, warmup: Int = 0, beta1: Double = 0.9, beta2: Double = 0.999,
    epsilon: Double = 1e-8,
    weightDecay: Double = 0.01, clip: Double = 1
  ) {
    self.learningRate = learningRate
    self.finalLearningRate = finalLearningRate
    self.warmup = warmup
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.clip = clip
  }

  func check(_ path: String) throws {
    guard learningRate > 0, learningRate.isFinite, finalLearningRate >= 0, finalLearningRate <= learningRate else {
      throw FormatError(path, "optimiser: 0 ≤ final_learning_rate ≤ learning_rate must hold, with learning_rate > 0")
    }
    guard (0..<1).contains(beta1), (0..<1).contains(beta2), epsilon > 0 else {
      throw FormatError(path, "optimiser: beta1 and beta2 must lie in 0…1 (exclusive), epsilon above 0")
    }
    guard weightDecay >= 0, clip >= 0, warmup >= 0 else {
      throw FormatError(path, "optimiser: weight_decay, clip and warmup must not be negative")
    }
  }

  /// Linear warm-up, then half a cosine down to the final rate. `step` counts from 0.
  public func rate(at step: Int, of steps: Int) -> Double {
    if step < warmup { return learningRate * Double(step + 1) / Double(warmup) }
    let progress = Double(step - warmup) / Double(max(1, steps - warmup))
    return finalLearningRate + (learningRate - finalLearningRate) * 0.5 * (1 + cos(.pi * min(1, progress)))
  }
}
