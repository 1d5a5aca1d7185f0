public import QuickstepNN
public import QuickstepTensor

/// The convolutional autoencoder of latent diffusion (Rombach et al. 2022, arXiv 2112.10752, appendix G); diffusers' `AutoencoderKL`, with its
/// names of parameters. One latent pixel stands for 2^(levels − 1) pixels a side.
public struct AutoencoderKL: PictureCodec {
  /// `sample`, a picture, is encoded (mode of the distribution) and decoded again; `z`, a latent as the encoder gives it, is decoded.
  public static let inputs = CodecInput.names
  /// As given to the initialiser.
  public let configuration: AutoencoderKLConfiguration
  let encoder: AutoencoderKLEncoder
  let quantConvolution: Convolution?
  let postQuantConvolution: Convolution?
  let decoder: AutoencoderKLDecoder

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: AutoencoderKLConfiguration, weights: Weights) {
    self.configuration = configuration
    let latent = configuration.latentChannels
    encoder = AutoencoderKLEncoder(configuration, outputChannels: 2 * latent, weights: weights["encoder"])
    quantConvolution =
      configuration.hasQuantConvolution ? Convolution(weights["quant_conv"], 2 * latent, 2 * latent, kernel: 1) : nil
    postQuantConvolution =
      configuration.hasPostQuantConvolution ? Convolution(weights["post_quant_conv"], latent, latent, kernel: 1) : nil
    decoder = AutoencoderKLDecoder(configuration, weights: weights["decoder"])
  }

  /// Pixels per latent pixel and side.
  public var factor: Int { 1 << (configuration.blockChannels.count - 1) }

  /// As the configuration says.
  public var pictureChannels: Int { configuration.inChannels }

  /// Mean and logarithm of the variance of the latent's distribution, `[B, latent, H/factor, W/factor]` each.
  /// - Parameter picture: `[B, C, H, W]` in −1…1, sides multiples of ``factor``.
  public func encode(_ picture: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    let moments = encoder(picture)
    let parts = (quantConvolution.map { $0(moments) } ?? moments).chunk(2, dim: 1)
    // The bounds of the reference: beyond them the exponential means nothing.
    return (parts[0], parts[1].clamp(min: -30, max: 20))
  }

  /// A picture `[B, C, H·factor, W·factor]`, about −1…1.
  /// - Parameter latent: `[B, latent, H, W]` as ``encode(_:)`` gives it; see ``unscaled(_:)``.
  public func decode(_ latent: Tensor) -> Tensor {
    decoder(postQuantConvolution.map { $0(latent) } ?? latent)
  }

  /// Decodes latents of unit variance.
  public func picture(_ latents: Tensor) -> Tensor { decode(unscaled(latents)) }

  /// The mean of the encoder's distribution, at unit variance.
  public func latents(_ picture: Tensor) -> Tensor { scaled(encode(picture).mean) }

  /// To the unit variance that backbones work in: (z − shift)·scale.
  public func scaled(_ latent: Tensor) -> Tensor {
    (configuration.shift == 0 ? latent : latent - configuration.shift) * configuration.scale
  }

  /// Back from unit variance: z/scale + shift.
  public func unscaled(_ latent: Tensor) -> Tensor {
    let divided = latent / configuration.scale
    return configuration.shift == 0 ? divided : divided + configuration.shift
  }

  /// - Returns: `sample`, a picture; with a `sample` given also `latent_dist.mean` and `latent_dist.logvar`.
  /// - Throws: ``ComponentError`` unless exactly one of `sample` and `z` is given, as `[B, C, H, W]`, with sides that can be halved as often
  ///   as the network does.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    let (picture, latent) = (configuration.inChannels, configuration.latentChannels)
    switch try input(inputs, pictureChannels: picture, latentChannels: latent) {
    case .latent(let latent): return try withTensorErrors { ["sample": decode(latent)] }
    case .picture(let picture):
      return try withTensorErrors {
        let (mean, logVariance) = encode(picture)
        return ["sample": decode(mean), "latent_dist.mean": mean, "latent_dist.logvar": logVariance]
      }
    }
  }
}

/// What the convolutional encoder and decoder need to know, in whichever codec they are.
protocol ConvolutionalCodecConfiguration {
  var inChannels: Int { get }
  var outChannels: Int { get }
  var latentChannels: Int { get }
  var blockChannels: [Int] { get }
  var layersPerBlock: Int { get }
  var groups: Int { get }
  var middleAttends: Bool { get }
}

extension AutoencoderKLConfiguration: ConvolutionalCodecConfiguration {}

/// Residual blocks and halvings, then the middle. `[B, C, H, W] → [B, output, H/factor, W/factor]`.
struct AutoencoderKLEncoder: Sendable {
  let input: Convolution
  let levels: [(blocks: [ResidualBlock2D], downsample: Downsample2D?)]
  let middle: AutoencoderKLMiddle
  let outputNorm: GroupNorm
  let output: Convolution

  init(_ configuration: any ConvolutionalCodecConfiguration, outputChannels: Int, weights: Weights) {
    let channels = configuration.blockChannels
    let (groups, last) = (configuration.groups, channels.count - 1)
    input = Convolution(weights["conv_in"], configuration.inChannels, channels[0], kernel: 3)
    levels = channels.indices.map { level in
      let scope = weights["down_blocks", level]
      let blocks = (0..<configuration.layersPerBlock).map { index in
        let before = index == 0 ? channels[max(0, level - 1)] : channels[level]
        return ResidualBlock2D(scope["resnets", index], before, channels[level], signal: nil, groups: groups, epsilon: 1e-6)
      }
      return (blocks, level == last ? nil : Downsample2D(scope["downsamplers", 0], channels: channels[level], padsEnd: true))
    }
    middle = AutoencoderKLMiddle(configuration, weights: weights["mid_block"])
    outputNorm = GroupNorm(weights["conv_norm_out"], groups: groups, channels: channels[last], epsilon: 1e-6)
    output = Convolution(weights["conv_out"], channels[last], outputChannels, kernel: 3)
  }

  func callAsFunction(_ picture: Tensor) -> Tensor {
    var hidden = input(picture)
    for level in levels {
      for block in level.blocks { hidden = block(hidden) }
      if let downsample = level.downsample { hidden = downsample(hidden) }
    }
    return output(outputNorm(middle(hidden), activation: .silu))
  }
}

/// The middle, then residual blocks and enlargements. `[B, latent, H, W] → [B, C, H·factor, W·factor]`.
struct AutoencoderKLDecoder: Sendable {
  let input: Convolution
  let middle: AutoencoderKLMiddle
  let levels: [(blocks: [ResidualBlock2D], upsample: Upsample2D?)]
  let outputNorm: GroupNorm
  let output: Convolution

  init(_ configuration: any ConvolutionalCodecConfiguration, weights: Weights) {
    let channels = Array(configuration.blockChannels.reversed())
    let (groups, last) = (configuration.groups, channels.count - 1)
    input = Convolution(weights["conv_in"], configuration.latentChannels, channels[0], kernel: 3)
    middle = AutoencoderKLMiddle(configuration, weights: weights["mid_block"])
    levels = channels.indices.map { level in
      let scope = weights["up_blocks", level]
      let blocks = (0...configuration.layersPerBlock).map { index in
        let before = index == 0 ? channels[max(0, level - 1)] : channels[level]
        return ResidualBlock2D(scope["resnets", index], before, channels[level], signal: nil, groups: groups, epsilon: 1e-6)
      }
      return (blocks, level == last ? nil : Upsample2D(scope["upsamplers", 0], channels: channels[level]))
    }
    outputNorm = GroupNorm(weights["conv_norm_out"], groups: groups, channels: channels[last], epsilon: 1e-6)
    output = Convolution(weights["conv_out"], channels[last], configuration.outChannels, kernel: 3)
  }

  func callAsFunction(_ latent: Tensor) -> Tensor {
    var hidden = middle(input(latent))
    for level in levels {
      for block in level.blocks { hidden = block(hidden) }
      if let upsample = level.upsample { hidden = upsample(hidden) }
    }
    return output(outputNorm(hidden, activation: .silu))
  }
}

/// Two residual blocks with attention between them. `[B, C, H, W] → [B, C, H, W]`.
struct AutoencoderKLMiddle: Sendable {
  let first: ResidualBlock2D
  let attention: PixelAttention?
  let second: ResidualBlock2D

  init(_ configuration: any ConvolutionalCodecConfiguration, weights: Weights) {
    let channels = configuration.blockChannels[configuration.blockChannels.count - 1]
    func block(_ index: Int) -> ResidualBlock2D {
      ResidualBlock2D(weights["resnets", index], channels, channels, signal: nil, groups: configuration.groups, epsilon: 1e-6)
    }
    first = block(0)
    attention =
      configuration.middleAttends
      ? PixelAttention(weights["attentions", 0], channels: channels, heads: 1, groups: configuration.groups, epsilon: 1e-6) : nil
    second = block(1)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = first(input)
    return second(attention.map { $0(hidden) } ?? hidden)
  }
}
