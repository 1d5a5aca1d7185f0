import QuickstepNN
import QuickstepTensor

/// 1×1 convolution, depthwise 3×3 convolution, gate and 1×1 convolution: the feed-forward part of Sana and of its autoencoder (Xie et al.
/// 2024, arXiv 2410.10629, section 2.2); diffusers' `GLUMBConv`. `[B, C, H, W] → [B, C, H, W]`.
struct GatedConvolution: Sendable {
  let first: Convolution
  let depthwise: Convolution
  let last: Convolution

  /// - Parameter hidden: channels after the gate; twice as many before it.
  init(_ weights: Weights, channels: Int, hidden: Int) {
    first = Convolution(weights["conv_inverted"], channels, 2 * hidden, kernel: 1)
    depthwise = Convolution(weights["conv_depth"], 2 * hidden, 2 * hidden, kernel: 3, groups: 2 * hidden)
    last = Convolution(weights["conv_point"], hidden, channels, kernel: 1, bias: false)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let parts = depthwise(first(input, activation: .silu)).chunk(2, dim: 1)
    return last(parts[0] * parts[1].silu())
  }
}

extension HeadAttention {
  /// Attention with ReLU in place of the exponential, which needs no scores (Katharopoulos et al. 2020, arXiv 2006.16236):
  /// Σ vⱼ·(kⱼ·qᵢ) / Σ kⱼ·qᵢ, channels before tokens. `[B, heads, D, N]` each, in and out.
  static func linear(_ query: Tensor, _ key: Tensor, _ value: Tensor) -> Tensor {
    // Sums over all tokens leave the range of half types.
    let (q, k, v) = (query.relu().to(.float32), key.relu().to(.float32), value.to(.float32))
    // A row of ones beside the values gives the denominator.
    let sums = v.pad([0, 0, 0, 1], value: 1).matmul(k.transposed).matmul(q)
    let size = v.size(2)
    return (sums.narrow(2, start: 0, length: size) / (sums.narrow(2, start: size, length: 1) + 1e-15)).to(query.dtype)
  }
}
