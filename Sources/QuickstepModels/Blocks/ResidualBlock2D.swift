import QuickstepNN
import QuickstepTensor

/// Two convolutions with group normalisation and SiLU, the timestep's embedding added between them; diffusers' `ResnetBlock2D`.
/// `[B, in, H, W] → [B, out, H, W]`.
struct ResidualBlock2D: Sendable {
  let norm1: GroupNorm
  let convolution1: Convolution
  let timeProjection: Linear?
  let norm2: GroupNorm
  let convolution2: Convolution
  let shortcut: Convolution?
  let outputScale: Double

  /// - Parameter signal: channels of the timestep's embedding; `nil` where there is none (codecs).
  init(
    _ weights: Weights, _ input: Int, _ output: Int, signal: Int?, groups: Int, epsilon: Double, outputScale: Double = 1
  ) {
    norm1 = GroupNorm(weights["norm1"], groups: groups, channels: input, epsilon: epsilon)
    convolution1 = Convolution(weights["conv1"], input, output, kernel: 3)
    timeProjection = signal.map { Linear(weights["time_emb_proj"], $0, output) }
    norm2 = GroupNorm(weights["norm2"], groups: groups, channels: output, epsilon: epsilon)
    convolution2 = Convolution(weights["conv2"], output, output, kernel: 3)
    shortcut = input == output ? nil : Convolution(weights["conv_shortcut"], input, output, kernel: 1)
    self.outputScale = outputScale
  }

  /// What is left without the change: the input, brought to the output's channels.
  func shortcut(of input: Tensor) -> Tensor {
    let kept = shortcut.map { $0(input) } ?? input
    return outputScale == 1 ? kept : kept / outputScale
  }

  /// - Parameter signal: `[B, signal]`, after its SiLU.
  func callAsFunction(_ input: Tensor, signal: Tensor? = nil) -> Tensor {
    let shift = timeProjection.flatMap { projection in signal.map { projection($0) } }
    let hidden = convolution1(norm1(input, activation: .silu), shift: shift)
    let sum = convolution2(norm2(hidden, activation: .silu), residual: shortcut.map { $0(input) } ?? input)
    return outputScale == 1 ? sum : sum / outputScale
  }
}

/// Half the side by a 3×3 convolution of stride 2; diffusers' `Downsample2D`.
struct Downsample2D: Sendable {
  let convolution: Convolution

  /// - Parameter padsEnd: whether zeros are added right and below only, as autoencoders do, and not on all sides.
  init(_ weights: Weights, channels: Int, padsEnd: Bool = false) {
    convolution = Convolution(
      weights["conv"], channels, channels, kernel: 3, stride: 2, padding: padsEnd ? 0 : 1, endPadding: padsEnd ? 1 : 0)
  }

  /// `[B, C, H, W] → [B, C, H/2, W/2]`.
  func callAsFunction(_ input: Tensor) -> Tensor { convolution(input) }
}

/// Nearest-neighbour enlargement, then a 3×3 convolution; diffusers' `Upsample2D`.
struct Upsample2D: Sendable {
  let convolution: Convolution

  init(_ weights: Weights, channels: Int) { convolution = Convolution(weights["conv"], channels, channels, kernel: 3) }

  /// - Parameter size: height and width of the result; `nil` doubles them.
  func callAsFunction(_ input: Tensor, size: [Int]? = nil) -> Tensor {
    convolution(input.upsampleNearest2d(size ?? [input.size(2) * 2, input.size(3) * 2]))
  }
}

/// Self-attention over the pixels of `[B, C, H, W]` with a residual; diffusers' `Attention` as autoencoders and DDPM networks use it.
struct PixelAttention: Sendable {
  let norm: GroupNorm
  let attention: Attention
  let outputScale: Double

  init(_ weights: Weights, channels: Int, heads: Int, groups: Int, epsilon: Double, outputScale: Double = 1) {
    norm = GroupNorm(weights["group_norm"], groups: groups, channels: channels, epsilon: epsilon)
    attention = Attention(weights, size: channels, heads: heads)
    self.outputScale = outputScale
  }

  func callAsFunction(_ input: Tensor) -> Tensor { added(change(of: input), to: input) }

  /// What attention says, without the residual.
  func change(of input: Tensor) -> Tensor {
    let tokens = norm(input).flatten(startDim: 2).transposed.contiguous()
    return attention(tokens).transposed.reshape(input.shape)
  }

  /// The residual sum.
  func added(_ change: Tensor, to input: Tensor) -> Tensor {
    let sum = change + input
    return outputScale == 1 ? sum : sum / outputScale
  }
}
