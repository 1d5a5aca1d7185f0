import QuickstepNN
import QuickstepTensor

/// What the transformers inside a U-Net have in common.
struct PixelTransformerShape: Sendable {
  var heads: Int
  /// Channels of the encoded prompt.
  var contextSize: Int
  /// Blocks in a row.
  var depth: Int
  /// Groups of the normalisation before them.
  var groups: Int
  /// Tokens go in and out through linear layers, and not through 1×1 convolutions.
  var usesLinearProjection: Bool
  /// The first attention of a block goes to the prompt as well.
  var onlyCrossAttention: Bool
}

/// Transformer blocks over the pixels of `[B, C, H, W]`, with a residual around all; diffusers' `Transformer2DModel` inside U-Nets.
struct PixelTransformer: Sendable {
  let norm: GroupNorm
  let inputConvolution: Convolution?
  let inputLinear: Linear?
  let blocks: [PixelTransformerBlock]
  let outputConvolution: Convolution?
  let outputLinear: Linear?
  let path: String

  init(_ weights: Weights, channels: Int, shape: PixelTransformerShape) {
    norm = GroupNorm(weights["norm"], groups: shape.groups, channels: channels, epsilon: 1e-6)
    let linear = shape.usesLinearProjection
    inputConvolution = linear ? nil : Convolution(weights["proj_in"], channels, channels, kernel: 1)
    inputLinear = linear ? Linear(weights["proj_in"], channels, channels) : nil
    blocks = (0..<shape.depth).map { PixelTransformerBlock(weights["transformer_blocks", $0], size: channels, shape: shape) }
    outputConvolution = linear ? nil : Convolution(weights["proj_out"], channels, channels, kernel: 1)
    outputLinear = linear ? Linear(weights["proj_out"], channels, channels) : nil
    path = weights.path
  }

  func sites(depth: Int) -> [Site] {
    blocks.indices.flatMap { index in
      Site.modules(
        "\(path).transformer_blocks.\(index)", depth: depth, [("attn1", .attention), ("attn2", .crossAttention), ("ff", .feedForward)])
    }
  }

  func callAsFunction(_ input: Tensor, context: Tensor?, mask: Tensor?, depth: Int, evaluation: Evaluation) throws -> Tensor {
    let normed = norm(input)
    var tokens = (inputConvolution.map { $0(normed) } ?? normed).flatten(startDim: 2).transposed.contiguous()
    if let inputLinear { tokens = inputLinear(tokens) }
    for (index, block) in blocks.enumerated() {
      tokens = try block(
        tokens, context: context, mask: mask, path: "\(path).transformer_blocks.\(index)", depth: depth, evaluation: evaluation)
    }
    if let outputLinear { tokens = outputLinear(tokens) }
    let pixels = tokens.transposed.reshape(input.shape)
    return outputConvolution.map { $0(pixels, residual: input) } ?? input + pixels
  }
}

/// Self-attention, cross-attention and a gated feed-forward layer, each normalised before and added; diffusers' `BasicTransformerBlock`.
/// `[B, N, C] → [B, N, C]`.
struct PixelTransformerBlock: Sendable {
  let norm1: LayerNorm
  let attention: Attention
  let norm2: LayerNorm
  let crossAttention: Attention
  let norm3: LayerNorm
  let feedForward: GatedFeedForward
  let onlyCrossAttention: Bool

  init(_ weights: Weights, size: Int, shape: PixelTransformerShape) {
    norm1 = LayerNorm(weights["norm1"], size, epsilon: 1e-5)
    attention = Attention(
      weights["attn1"], size: size, contextSize: shape.onlyCrossAttention ? shape.contextSize : nil, heads: shape.heads, bias: false)
    norm2 = LayerNorm(weights["norm2"], size, epsilon: 1e-5)
    crossAttention = Attention(weights["attn2"], size: size, contextSize: shape.contextSize, heads: shape.heads, bias: false)
    norm3 = LayerNorm(weights["norm3"], size, epsilon: 1e-5)
    feedForward = GatedFeedForward(weights["ff"], size: size)
    onlyCrossAttention = shape.onlyCrossAttention
  }

  func callAsFunction(
    _ input: Tensor, context: Tensor?, mask: Tensor?, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Tensor {
    var hidden = input
    hidden += try evaluation.site(Site("\(path).attn1", .attention, depth: depth), hidden) {
      // The prompt's mask is that of the second attention alone, in the reference as well.
      attention(norm1($0), context: onlyCrossAttention ? context : nil)
    }
    hidden += try evaluation.site(Site("\(path).attn2", .crossAttention, depth: depth), hidden) {
      crossAttention(norm2($0), context: context, mask: mask)
    }
    hidden += try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), hidden) { feedForward(norm3($0)) }
    return hidden
  }
}

/// y = W₂(a · GELU(g)) with (a, g) = W₁x, GELU in its exact form (GEGLU, Shazeer 2020, arXiv 2002.05202). `[…, C] → […, C]`.
struct GatedFeedForward: Sendable {
  let first: Linear
  let second: Linear

  init(_ weights: Weights, size: Int) {
    first = Linear(weights["net", 0, "proj"], size, 8 * size, isGated: true)
    second = Linear(weights["net", 2], 4 * size, size)
  }

  func callAsFunction(_ input: Tensor) -> Tensor { second(first(input)) }
}
