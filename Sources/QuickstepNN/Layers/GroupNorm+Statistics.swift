public import QuickstepTensor

/// Mean and reciprocal standard deviation of every group of a whole `[B, C, H, W]`, with which its parts can be normalised one by one.
public struct GroupStatistics: Sendable {
  /// `[B, C, 1, 1]`, float32: what values are multiplied by.
  let scale: Tensor
  /// The same: what is added then.
  let shift: Tensor
}

extension GroupNorm {
  /// The statistics of the whole; nothing of its size is allocated where it is contiguous.
  /// - Parameter whole: `[B, C, H, W]`.
  public func statistics(of whole: Tensor) -> GroupStatistics {
    let (batch, channels) = (whole.size(0), whole.size(1))
    let members = whole.reshape([batch, groups, -1])
    let mean = members.mean([2], dtype: .float32).to(.float64)
    // Half types are summed in float32 by the operator itself.
    let variance = members.variance(dim: [2], correction: 0).to(.float64)
    let inverse = (variance + epsilon).rsqrt()
    func perChannel(_ tensor: Tensor) -> Tensor { tensor.repeatInterleave(channels / groups, dim: 1) }
    let scale = perChannel(inverse) * weight.to(.float64)
    let shift = bias.to(.float64) - perChannel(mean) * scale
    let shape = [batch, channels, 1, 1]
    return GroupStatistics(scale: scale.reshape(shape).to(.float32), shift: shift.reshape(shape).to(.float32))
  }

  /// A part of the whole, normalised with the whole's statistics: equal to the same part of the whole's result up to rounding.
  /// - Parameter part: `[B, C, h, w]`.
  public func callAsFunction(_ part: Tensor, with statistics: GroupStatistics) -> Tensor {
    statistics.shift.addcmul(part.to(.float32), tensor2: statistics.scale).to(part.dtype)
  }
}
