import QuickstepNN
import QuickstepTensor

/// Two convolutions with group normalisation, modulated by the conditioning signal between them. `[B, in, H, W] → [B, out, H, W]`.
struct UNetResidualBlock: Sendable {
  let norm1: GroupNorm
  let convolution1: Convolution
  let modulation: Linear
  let norm2: GroupNorm
  let convolution2: Convolution
  let shortcut: Convolution?

  init(_ weights: Weights, _ input: Int, _ output: Int, signal: Int) {
    norm1 = GroupNorm(weights["norm1"], groups: 8, channels: input)
    convolution1 = Convolution(weights["conv1"], input, output, kernel: 3)
    modulation = Linear(weights["time_emb_proj"], signal, 2 * output)
    norm2 = GroupNorm(weights["norm2"], groups: 8, channels: output)
    convolution2 = Convolution(weights["conv2"], output, output, kernel: 3, initial: .zeros)
    shortcut = input == output ? nil : Convolution(weights["conv_shortcut"], input, output, kernel: 1)
  }

  /// What is left without the change: the input, brought to the output's channels.
  func shortcut(of input: Tensor) -> Tensor { shortcut.map { $0(input) } ?? input }

  func callAsFunction(_ input: Tensor, signal: Tensor) -> Tensor {
    let parts = modulation(signal).unsqueeze(-1).unsqueeze(-1).chunk(2, dim: 1)
    var hidden = convolution1(norm1(input, activation: .silu))
    hidden = modulate(norm2(hidden), shift: parts[0], scale: parts[1])
    hidden = convolution2(hidden.silu())
    return (shortcut.map { $0(input) } ?? input) + hidden
  }
}

/// Self-attention over the pixels, then (with text) cross-attention to the prompt, each with a residual. `[B, C, H, W] → [B, C, H, W]`.
struct UNetAttentionBlock: Sendable {
  let norm: GroupNorm
  let attention: Attention
  let crossNorm: LayerNorm?
  let crossAttention: Attention?

  init(_ weights: Weights, channels: Int, heads: Int, context: Int?) {
    norm = GroupNorm(weights["norm"], groups: 8, channels: channels)
    attention = Attention(weights["attn1"], size: channels, heads: heads, normalisesHeads: true, outputInitial: .zeros)
    crossNorm = context.map { _ in LayerNorm(weights["norm_cross"], channels) }
    crossAttention = context.map {
      Attention(weights["attn2"], size: channels, contextSize: $0, heads: heads, normalisesHeads: true, outputInitial: .zeros)
    }
  }

  func sites(_ path: String, depth: Int) -> [Site] {
    Site.modules(path, depth: depth, [("attn1", .attention)] + (crossAttention == nil ? [] : [("attn2", .crossAttention)]))
  }

  func callAsFunction(
    _ input: Tensor, context: Tensor?, mask: Tensor?, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Tensor {
    let shape = input.shape
    let attended = try evaluation.site(Site("\(path).attn1", .attention, depth: depth), input) {
      // One copy into token order serves queries, keys and values.
      attention(norm($0).flatten(startDim: 2).transposed.contiguous()).transposed.reshape(shape)
    }
    guard crossAttention != nil else { return input + attended }
    var tokens = (input + attended).flatten(startDim: 2).transposed
    if let crossNorm, let crossAttention {
      tokens += try evaluation.site(Site("\(path).attn2", .crossAttention, depth: depth), tokens) {
        crossAttention(crossNorm($0), context: context, mask: mask)
      }
    }
    return tokens.transposed.reshape(shape)
  }
}
