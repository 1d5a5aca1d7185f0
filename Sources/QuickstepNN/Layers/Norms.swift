internal import CKernels
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
  let isPrepared: Bool

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
    isPrepared = weights.preparation != nil
  }

  /// `[B, C, …] → [B, C, …]`: every group of a sample to mean 0 and variance 1, then scale and shift per channel.
  public func callAsFunction(_ input: Tensor) -> Tensor { self(input, activation: .none) }

  /// The activation, `none` or `silu`, in the same pass where the layer can.
  public func callAsFunction(_ input: Tensor, activation: Activation) -> Tensor {
    if isPrepared, let result = prepared(input, activation) { return result }
    return activation(input.groupNorm(groups, weight: weight, bias: bias, eps: epsilon))
  }

  /// By our own kernel, or `nil` where it does not apply.
  private func prepared(_ input: Tensor, _ activation: Activation) -> Tensor? {
    guard activation == .none || activation == .silu, input.rank == 4, input.size(1) == weight.count,
      let pixels = KernelTensors.pixels(input), let source = pixels.floats
    else { return nil }
    let (batch, height, width, channels) = (pixels.size(0), pixels.size(1), pixels.size(2), pixels.size(3))
    let (memory, picture) = KernelTensors.makePixels(batch, height, width, channels)
    let count = Int64(height * width)
    let scratch = KernelTensors.scratch(qs_group_norm_scratch(Int64(batch), count, Int64(channels)))
    guard let target = memory.floats else { return nil }
    qs_group_norm(
      source, Int64(batch), count, Int64(channels), Int64(groups), weight.floats, bias.floats, epsilon, activation.code, target,
      scratch.address)
    withExtendedLifetime((pixels, scratch)) {}
    return picture
  }
}
