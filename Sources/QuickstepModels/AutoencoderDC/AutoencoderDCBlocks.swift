import QuickstepNN
import QuickstepTensor

/// The encoder's first layer.
enum DCInput: Sendable {
  case convolution(Convolution)
  case downsample(DCDownsample)

  func callAsFunction(_ input: Tensor) -> Tensor {
    switch self {
    case .convolution(let layer): layer(input)
    case .downsample(let layer): layer(input)
    }
  }
}

/// The decoder's last layer.
enum DCOutput: Sendable {
  case convolution(Convolution)
  case upsample(DCUpsample)

  func callAsFunction(_ input: Tensor) -> Tensor {
    switch self {
    case .convolution(let layer): layer(input)
    case .upsample(let layer): layer(input)
    }
  }
}

/// One entry of a level's list.
enum DCLayer: Sendable {
  case residual(DCResidualBlock)
  case attention(DCAttentionBlock)
  case downsample(DCDownsample)
  case upsample(DCUpsample)

  static func block(_ weights: Weights, _ level: AutoencoderDCConfiguration.Level, headSize: Int) -> DCLayer {
    switch level.block {
    case .residual: .residual(DCResidualBlock(weights, level))
    case .attention: .attention(DCAttentionBlock(weights, level, headSize: headSize))
    }
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    switch self {
    case .residual(let layer): layer(input)
    case .attention(let layer): layer(input)
    case .downsample(let layer): layer(input)
    case .upsample(let layer): layer(input)
    }
  }
}

/// Normalisation of `[B, C, H, W]`: by the root mean square of a pixel's channels, with a shift, or with stored statistics.
enum DCNorm: Sendable {
  case rms(RMSNorm, bias: Tensor)
  case batch(weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor)

  init(_ weights: Weights, _ channels: Int, _ kind: AutoencoderDCConfiguration.Norm) {
    func parameter(_ name: String, _ initial: Initializer) -> Tensor { weights.parameter(name, [channels], initial: initial) }
    switch kind {
    case .rms: self = .rms(RMSNorm(weights, channels, epsilon: 1e-5), bias: parameter("bias", .zeros))
    case .batch:
      self = .batch(
        weight: parameter("weight", .ones), bias: parameter("bias", .zeros), mean: parameter("running_mean", .zeros),
        variance: parameter("running_var", .ones))
    }
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    switch self {
    case .rms(let norm, let bias): (norm(input.permute([0, 2, 3, 1])) + bias).permute([0, 3, 1, 2])
    case .batch(let weight, let bias, let mean, let variance):
      input.batchNorm(
        weight: weight, bias: bias, runningMean: mean, runningVar: variance, training: false, momentum: 0, eps: 1e-5, cudnnEnabled: true)
    }
  }
}

/// Two convolutions with an activation between them, a normalisation, and the input added. `[B, C, H, W] → [B, C, H, W]`.
struct DCResidualBlock: Sendable {
  let first: Convolution
  let activation: AutoencoderDCConfiguration.Activation
  let second: Convolution
  let norm: DCNorm

  init(_ weights: Weights, _ level: AutoencoderDCConfiguration.Level) {
    first = Convolution(weights["conv1"], level.channels, level.channels, kernel: 3)
    activation = level.activation
    second = Convolution(weights["conv2"], level.channels, level.channels, kernel: 3, bias: false)
    norm = DCNorm(weights["norm"], level.channels, level.norm)
  }

  func callAsFunction(_ input: Tensor) -> Tensor { norm(second(activation(first(input)))) + input }
}

/// Linear attention at several scales, then a gated convolution, both added to their input (EfficientViT, Cai et al. 2022, arXiv 2205.14756).
/// `[B, C, H, W] → [B, C, H, W]`.
struct DCAttentionBlock: Sendable {
  let headSize: Int
  let query: Linear, key: Linear, value: Linear
  let scales: [(depthwise: Convolution, grouped: Convolution)]
  let output: Linear
  let norm: DCNorm
  let feedForward: GatedConvolution
  let feedForwardNorm: DCNorm

  init(_ weights: Weights, _ level: AutoencoderDCConfiguration.Level, headSize: Int) {
    let (channels, attention) = (level.channels, weights["attn"])
    self.headSize = headSize
    query = Linear(attention["to_q"], channels, channels, bias: false)
    key = Linear(attention["to_k"], channels, channels, bias: false)
    value = Linear(attention["to_v"], channels, channels, bias: false)
    scales = level.kernels.enumerated().map { index, kernel in
      let scope = attention["to_qkv_multiscale", index]
      return (
        Convolution(scope["proj_in"], 3 * channels, 3 * channels, kernel: kernel, groups: 3 * channels, bias: false),
        Convolution(scope["proj_out"], 3 * channels, 3 * channels, kernel: 1, groups: 3 * channels / headSize, bias: false)
      )
    }
    output = Linear(attention["to_out"], channels * (1 + level.kernels.count), channels, bias: false)
    norm = DCNorm(attention["norm_out"], channels, level.norm)
    feedForward = GatedConvolution(weights["conv_out"], channels: channels, hidden: 4 * channels)
    feedForwardNorm = DCNorm(weights["conv_out", "norm"], channels, .rms)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = norm(attend(input)) + input
    return feedForwardNorm(feedForward(hidden)) + hidden
  }

  private func attend(_ input: Tensor) -> Tensor {
    let (batch, height, width) = (input.size(0), input.size(2), input.size(3))
    let pixels = input.permute([0, 2, 3, 1])
    let own = Tensor.cat([query(pixels), key(pixels), value(pixels)], dim: 3).permute([0, 3, 1, 2])
    let all = Tensor.cat([own] + scales.map { $0.grouped($0.depthwise(own)) }, dim: 1)
    // Heads are cut across what the three layers give, as the weights were trained. For few pixels the reference multiplies in another order,
    // which is the same sum.
    let parts = all.reshape([batch, -1, 3 * headSize, height * width]).chunk(3, dim: 2)
    let mixed = HeadAttention.linear(parts[0], parts[1], parts[2]).reshape([batch, -1, height, width])
    return output(mixed.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])
  }
}

/// Half the side, by folding 2×2 pixels into channels or by a stride; around it, means of the folded input's channels.
struct DCDownsample: Sendable {
  let convolution: Convolution
  let folds: Bool
  /// Channels of the folded input that are averaged into one.
  let group: Int?

  init(_ weights: Weights, _ input: Int, _ output: Int, folds: Bool, shortcut: Bool) {
    convolution = Convolution(weights["conv"], input, folds ? output / 4 : output, kernel: 3, stride: folds ? 1 : 2)
    self.folds = folds
    group = shortcut ? input * 4 / output : nil
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = folds ? convolution(input).pixelUnshuffle(2) : convolution(input)
    return group.map { hidden + input.pixelUnshuffle(2).unflatten(1, sizes: [-1, $0]).mean([2]) } ?? hidden
  }
}

/// Twice the side, by enlarging or by unfolding channels into 2×2 pixels; around it, the input with its channels repeated and unfolded.
struct DCUpsample: Sendable {
  let convolution: Convolution
  let enlarges: Bool
  /// Times that every channel of the input is repeated.
  let repeats: Int?

  init(_ weights: Weights, _ input: Int, _ output: Int, enlarges: Bool, shortcut: Bool) {
    convolution = Convolution(weights["conv"], input, enlarges ? output : 4 * output, kernel: 3)
    self.enlarges = enlarges
    repeats = shortcut ? output * 4 / input : nil
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden =
      enlarges
      ? convolution(input.upsampleNearest2d([input.size(2) * 2, input.size(3) * 2])) : convolution(input).pixelShuffle(2)
    return repeats.map { hidden + input.repeatInterleave($0, dim: 1).pixelShuffle(2) } ?? hidden
  }
}
