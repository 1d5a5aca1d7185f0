import QuickstepTensor

/// Attention once queries, keys and values are there.
enum HeadAttention {
  /// `[B, N, C] → [B, heads, N, C / heads]`.
  static func split(_ tensor: Tensor, heads: Int) -> Tensor {
    tensor.reshape([tensor.size(0), tensor.size(1), heads, -1]).transpose(1, dim1: 2)
  }

  /// Queries `[B, heads, N, D]`, keys and values `[B, heads, M, D]`, to `[B, N, heads · D]`.
  /// - Parameters:
  ///   - mask: broadcast to `[B, heads, N, M]`: added to the scores, or boolean (true keeps).
  ///   - scale: of the scores; `nil`: 1/√D.
  static func mix(_ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, scale: Double? = nil) -> Tensor {
    query.scaledDotProductAttention(key, value: value, attnMask: mask, scale: scale).transpose(1, dim1: 2).flatten(startDim: 2)
  }

  /// A prompt's mask `[B, L]` (true keeps) as numbers to be added to scores, `[B, 1, 1, L]`. Hidden positions get −10000 and not −∞, as in
  /// the reference: a prompt of which nothing counts then is a plain mean and no division by zero.
  static func bias(_ mask: Tensor?, dtype: DType) -> Tensor? {
    mask.map { (1 - $0.to(.bool).to(dtype)).unsqueeze(1).unsqueeze(1) * -10000 }
  }
}
