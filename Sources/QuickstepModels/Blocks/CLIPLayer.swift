import QuickstepNN
import QuickstepTensor

/// What a block of CLIP's towers is made of.
struct CLIPLayerShape: Sendable {
  /// Channels of a token, and between the two layers of the feed-forward part.
  var size: Int, feedForwardSize: Int
  /// Attention heads.
  var heads: Int
  /// Of both layer normalisations.
  var epsilon: Double
  /// GELU as x·sigmoid(1.702·x), and not in its exact form.
  var usesQuickGELU: Bool
}

/// Self-attention and feed-forward, normalised before. `[B, L, D] → [B, L, D]`.
struct CLIPLayer: Sendable {
  let norm1: LayerNorm
  let query: Linear, key: Linear, value: Linear, output: Linear
  let norm2: LayerNorm
  let first: Linear, second: Linear
  let heads: Int
  let usesQuickGELU: Bool
  let attend: ScaledAttention

  init(_ shape: CLIPLayerShape, weights: Weights) {
    attend = ScaledAttention(weights)
    let size = shape.size
    let attention = weights["self_attn"]
    norm1 = LayerNorm(weights["layer_norm1"], size, epsilon: shape.epsilon)
    query = Linear(attention["q_proj"], size, size)
    key = Linear(attention["k_proj"], size, size)
    value = Linear(attention["v_proj"], size, size)
    output = Linear(attention["out_proj"], size, size)
    norm2 = LayerNorm(weights["layer_norm2"], size, epsilon: shape.epsilon)
    first = Linear(weights["mlp", "fc1"], size, shape.feedForwardSize)
    second = Linear(weights["mlp", "fc2"], shape.feedForwardSize, size)
    heads = shape.heads
    usesQuickGELU = shape.usesQuickGELU
  }

  func callAsFunction(_ input: Tensor, mask: Tensor? = nil) -> Tensor {
    let normed = norm1(input)
    func split(_ tensor: Tensor) -> Tensor { HeadAttention.split(tensor, heads: heads) }
    let attended = attend(split(query(normed)), split(key(normed)), split(value(normed)), mask: mask)
    let hidden = output(attended, activation: .none, residual: input)
    var inner = first(norm2(hidden), activation: usesQuickGELU ? .none : .gelu)
    if usesQuickGELU { inner = inner * (inner * 1.702).sigmoid() }
    return second(inner, activation: .none, residual: hidden)
  }
}
