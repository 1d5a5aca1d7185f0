public import QuickstepTensor

/// Layer normalisation over the last dimension.
public struct LayerNorm: Sendable {
  let size: Int
  let weight: Tensor?
  let bias: Tensor?
  let epsilon: Double

  /// - Parameter affine: without it the layer has no parameters (adaptive normalisation supplies scale and shift).
  public init(_ weights: Weights, _ size: Int, epsilon: Double = 1e-6, affine: Bool = true) {
    self.size = size
    self.epsilon = epsilon
    weight = affine ? weights.parameter("weight", [size], initial: .ones) : nil
    bias = affine ? weights.parameter("bias", [size], initial: .zeros) : nil
  }

  /// `[…, size] → […, size]`: (x − mean)/√(variance + ε), then scale and shift where there are any.
  public func callAsFunction(_ input: Tensor) -> Tensor { input.layerNorm([size], weight: weight, bias: bias, eps: epsilon) }
}

/// Root-mean-square normalisation over the last dimension, with a learned scale.
public struct RMSNorm: Sendable {
  let size: Int
  let weight: Tensor
  let epsilon: Double

  /// - Parameters:
  ///   - weights: the scope of `weight`, `[size]`.
  ///   - size: length of the last dimension.
  ///   - epsilon: added to the mean square before the root.
  public init(_ weights: Weights, _ size: Int, epsilon: Double = 1e-6) {
    self.size = size
    self.epsilon = epsilon
    weight = weights.parameter("weight", [size], initial: .ones)
  }

  /// `[…, size] → […, size]`: x/√(mean of x² + ε), times the scale.
  public func callAsFunction(_ input: Tensor) -> Tensor { input.rmsNorm([size], weight: weight, eps: epsilon) }
}

/// Group normalisation of `[B, C, …]`.
public struct GroupNorm: Sendable {
  let groups: Int
  let weight: Tensor
  let bias: Tensor
  let epsilon: Double

  /// - Parameters:
  ///   - weights: the scope of `weight` and `bias`, `[channels]` each.
  ///   - groups: number of groups, a divisor of `channels`.
  ///   - channels: C.
  ///   - epsilon: added to the variance before the root.
  public init(_ weights: Weights, groups: Int, channels: Int, epsilon: Double = 1e-5) {
    self.groups = groups
    self.epsilon = epsilon
    weight = weights.parameter("weight", [channels], initial: .ones)
    bias = weights.parameter("bias", [channels], initial: .zeros)
  }

  /// `[B, C, …] → [B, C, …]`: every group of a sample to mean 0 and variance 1, then scale and shift per channel.
  public func callAsFunction(_ input: Tensor) -> Tensor { input.groupNorm(groups, weight: weight, bias: bias, eps: epsilon) }
}
