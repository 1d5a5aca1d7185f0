import QuickstepTensor

/// What goes into attention with several heads.
enum HeadAttention {
  /// `[B, N, C] → [B, N, heads, C / heads]`, as `ScaledAttention` takes it.
  static func split(_ tensor: Tensor, heads: Int) -> Tensor { tensor.reshape([tensor.size(0), tensor.size(1), heads, -1]) }

  /// A prompt's mask `[B, L]` (true keeps) as numbers to be added to scores, `[B, 1, 1, L]`. Hidden positions get −10000 and not −∞, as in
  /// the reference: a prompt of which nothing counts then is a plain mean and no division by zero.
  static func bias(_ mask: Tensor?, dtype: DType) -> Tensor? {
    mask.map { (1 - $0.to(.bool).to(dtype)).unsqueeze(1).unsqueeze(1) * -10000 }
  }
}
