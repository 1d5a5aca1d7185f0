import QuickstepNN
import QuickstepTensor

/// Linear self-attention, attention to the prompt and a convolutional feed-forward part under adaLN-single; diffusers'
/// `SanaTransformerBlock`. `[B, N, C] → [B, N, C]`.
struct SanaBlock: Sendable {
  /// `[6, C]`, added to the modulation of all blocks.
  let table: Tensor
  let norm: LayerNorm
  let attention: SanaAttention
  let crossAttention: SanaAttention
  let feedForward: GatedConvolution

  init(_ configuration: SanaConfiguration, weights: Weights) {
    let size = configuration.hiddenSize
    table = weights.parameter("scale_shift_table", [6, size], initial: .normal(0.02))
    norm = LayerNorm(weights["norm1"], size, epsilon: configuration.epsilon, affine: false)
    attention = SanaAttention(
      weights["attn1"], size: size, heads: configuration.heads, headSize: configuration.headSize, bias: configuration.hasAttentionBias,
      normalises: configuration.normalisesHeads)
    crossAttention = SanaAttention(
      weights["attn2"], size: size, heads: configuration.crossHeads, headSize: configuration.crossHeadSize, bias: true,
      normalises: configuration.normalisesHeads)
    feedForward = GatedConvolution(weights["ff"], channels: size, hidden: Int(configuration.expansion * Double(size)))
  }

  private func parts(_ modulation: Tensor) -> [Tensor] { (table + modulation).chunk(6, dim: 1) }

  /// What the attention takes.
  func modulated(_ input: Tensor, modulation: Tensor) -> Tensor {
    let parts = parts(modulation)
    return modulate(norm(input), shift: parts[0], scale: parts[1])
  }

  /// - Parameters:
  ///   - modulation: `[B, 6, C]`.
  ///   - mask: `[B, 1, 1, L]`, added to the scores.
  ///   - rows: of tokens in the picture.
  func callAsFunction(
    _ input: Tensor, modulation: Tensor, context: Tensor, mask: Tensor?, rows: Int, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Tensor {
    let parts = parts(modulation)
    let attended = try evaluation.site(Site("\(path).attn1", .attention, depth: depth), input) {
      attention.linear(modulate(norm($0), shift: parts[0], scale: parts[1]))
    }
    var hidden = input.addcmul(parts[2], tensor2: attended)
    hidden += try evaluation.site(Site("\(path).attn2", .crossAttention, depth: depth), hidden) {
      crossAttention($0, context: context, mask: mask)
    }
    let fed = try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), hidden) {
      let pixels = modulate(norm($0), shift: parts[3], scale: parts[4]).unflatten(1, sizes: [rows, -1]).permute([0, 3, 1, 2])
      return feedForward(pixels).flatten(startDim: 2).transposed
    }
    return hidden.addcmul(parts[5], tensor2: fed)
  }
}

/// Attention whose heads need not add up to the channels of a token, with RMS normalisation over all heads in some models.
struct SanaAttention: Sendable {
  let heads: Int
  let query: Linear, key: Linear, value: Linear, output: Linear
  let queryNorm: RMSNorm?, keyNorm: RMSNorm?
  let attend: ScaledAttention

  init(_ weights: Weights, size: Int, heads: Int, headSize: Int, bias: Bool, normalises: Bool) {
    let inner = heads * headSize
    self.heads = heads
    attend = ScaledAttention(weights)
    query = Linear(weights["to_q"], size, inner, bias: bias)
    key = Linear(weights["to_k"], size, inner, bias: bias)
    value = Linear(weights["to_v"], size, inner, bias: bias)
    output = Linear(weights["to_out", 0], inner, size)
    queryNorm = normalises ? RMSNorm(weights["norm_q"], inner, epsilon: 1e-5) : nil
    keyNorm = normalises ? RMSNorm(weights["norm_k"], inner, epsilon: 1e-5) : nil
  }

  private func projected(_ input: Tensor, _ context: Tensor) -> (query: Tensor, key: Tensor, value: Tensor) {
    let (q, k) = (query(input), key(context))
    return (queryNorm.map { $0(q) } ?? q, keyNorm.map { $0(k) } ?? k, value(context))
  }

  /// Ordinary attention to `context`, `[B, L, C]`.
  func callAsFunction(_ input: Tensor, context: Tensor, mask: Tensor?) -> Tensor {
    let (q, k, v) = projected(input, context)
    func split(_ tensor: Tensor) -> Tensor { HeadAttention.split(tensor, heads: heads) }
    return output(attend(split(q), split(k), split(v), mask: mask))
  }

  /// Linear attention of the tokens to each other.
  func linear(_ input: Tensor) -> Tensor {
    let (q, k, v) = projected(input, input)
    func split(_ tensor: Tensor) -> Tensor { tensor.transposed.unflatten(1, sizes: [heads, -1]) }
    return output(HeadAttention.linear(split(q), split(k), split(v)).flatten(startDim: 1, endDim: 2).transposed)
  }
}
