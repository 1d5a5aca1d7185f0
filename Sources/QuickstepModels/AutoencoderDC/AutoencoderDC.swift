public import QuickstepNN
public import QuickstepTensor

/// The deep-compression autoencoder that Sana works with (Chen et al. 2024, arXiv 2410.10733); diffusers' `AutoencoderDC`, with its names of
/// parameters. One latent pixel stands for 2^(levels − 1) pixels a side.
public struct AutoencoderDC: PictureCodec {
  /// `sample`, a picture, is encoded and decoded again; `z`, a latent as the encoder gives it, is decoded.
  public static let inputs = CodecInput.names
  /// As given to the initialiser.
  public let configuration: AutoencoderDCConfiguration
  let encoder: AutoencoderDCEncoder
  let decoder: AutoencoderDCDecoder

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: AutoencoderDCConfiguration, weights: Weights) {
    self.configuration = configuration
    encoder = AutoencoderDCEncoder(configuration, weights: weights["encoder"])
    decoder = AutoencoderDCDecoder(configuration, weights: weights["decoder"])
  }

  /// Pixels per latent pixel and side.
  public var factor: Int { 1 << (configuration.encoder.count - 1) }
  /// `in_channels`.
  public var pictureChannels: Int { configuration.inChannels }

  /// The most that a level needs: ten tensors of its size in residual blocks and around changes of size, two of which stand for gaps in the heap
  /// (freed pieces do not always suit the next tensor; how many do differs from run to run); where it attends, 28 for the gated
  /// convolution's inner tensors of eight times its channels, before and after the depthwise one, what is around them, and what is kept.
  ///
  /// Seen with prepared layers, beside weights and an idle program: of the published widths (a block per level) 0.30, 0.92, 1.59 and 2.53 GB at
  /// 256, 512, 768 and 1024 pixels a side, four tensors of the outermost level for every pixel more; of two levels, the inner one attending
  /// with 512 channels, 0.40 and 0.86 GB at 128 and 256 pixels, 18 tensors of that level for every pixel more. Plain layers took as much at 512 pixels.
  /// With 24 channels at 768 pixels and plain layers, runs of one request took six to ten tensors of the outermost level beside an idle program.
  public func workingBytes(pictureSide: (width: Int, height: Int), elementBytes: Int, inStrips: Bool) -> Int {
    let pixels = pictureSide.width * pictureSide.height
    let levels = [configuration.encoder, configuration.decoder].flatMap { levels in
      levels.enumerated().map { index, level in
        (pixels >> (2 * index)) * level.channels * (level.blocks > 0 && level.block == .attention ? 28 : 10)
      }
    }
    return elementBytes * (levels.max() ?? 0)
  }

  /// `[B, C, H, W]` in −1…1, sides multiples of ``factor``, to `[B, latent, H/factor, W/factor]`.
  public func encode(_ picture: Tensor) -> Tensor { encoder(picture) }

  /// `[B, latent, H, W]` as ``encode(_:)`` gives it to a picture `[B, C, H·factor, W·factor]`, about −1…1.
  public func decode(_ latent: Tensor) -> Tensor { decoder(latent) }

  /// Decodes latents of unit variance.
  public func picture(_ latents: Tensor) -> Tensor { decode(latents / configuration.scale) }

  /// The encoder's latents at unit variance.
  public func latents(_ picture: Tensor) -> Tensor { encode(picture) * configuration.scale }

  /// - Returns: `sample`, a picture; with a `sample` given also `latent`.
  /// - Throws: ``ComponentError`` unless exactly one of `sample` and `z` is given, as `[B, C, H, W]`, with sides that can be halved as often
  ///   as the network does.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    switch try input(inputs, pictureChannels: configuration.inChannels, latentChannels: configuration.latentChannels) {
    case .latent(let latent): return try withTensorErrors { ["sample": decode(latent)] }
    case .picture(let picture):
      return try withTensorErrors {
        let latent = encode(picture)
        return ["sample": decode(latent), "latent": latent]
      }
    }
  }
}

/// Blocks and halvings. `[B, C, H, W] → [B, latent, H/factor, W/factor]`.
struct AutoencoderDCEncoder: Sendable {
  let input: DCInput
  let layers: [DCLayer]
  let output: Convolution
  /// Channels that are averaged into one around the last convolution.
  let shortcutGroup: Int?

  init(_ configuration: AutoencoderDCConfiguration, weights: Weights) {
    let (levels, last) = (configuration.encoder, configuration.encoder.count - 1)
    func down(_ scope: Weights, _ input: Int, _ output: Int, shortcut: Bool) -> DCDownsample {
      DCDownsample(scope, input, output, folds: configuration.foldsDown, shortcut: shortcut)
    }
    let scope = weights["conv_in"]
    // Without blocks at the outermost level the first convolution halves at once.
    input =
      levels[0].blocks > 0
      ? .convolution(Convolution(scope, configuration.inChannels, levels[0].channels, kernel: 3))
      : .downsample(down(scope, configuration.inChannels, levels[1].channels, shortcut: false))
    layers = levels.enumerated().flatMap { index, level -> [DCLayer] in
      let scope = weights["down_blocks", index]
      var layers = (0..<level.blocks).map { DCLayer.block(scope[$0], level, headSize: configuration.headSize) }
      if level.blocks > 0, index < last {
        layers.append(.downsample(down(scope[level.blocks], level.channels, levels[index + 1].channels, shortcut: true)))
      }
      return layers
    }
    output = Convolution(weights["conv_out"], levels[last].channels, configuration.latentChannels, kernel: 3)
    shortcutGroup = configuration.hasEncoderShortcut ? levels[last].channels / configuration.latentChannels : nil
  }

  func callAsFunction(_ picture: Tensor) -> Tensor {
    let hidden = layers.reduce(input(picture)) { $1($0) }
    return shortcutGroup.map { output(hidden) + hidden.unflatten(1, sizes: [-1, $0]).mean([2]) } ?? output(hidden)
  }
}

/// Blocks and doublings. `[B, latent, H, W] → [B, C, H·factor, W·factor]`.
struct AutoencoderDCDecoder: Sendable {
  let input: Convolution
  /// Times that every channel is repeated around the first convolution.
  let shortcutRepeats: Int?
  let layers: [DCLayer]
  let norm: DCNorm
  let activation: AutoencoderDCConfiguration.Activation
  let output: DCOutput

  init(_ configuration: AutoencoderDCConfiguration, weights: Weights) {
    let (levels, last) = (configuration.decoder, configuration.decoder.count - 1)
    func up(_ scope: Weights, _ input: Int, _ output: Int, shortcut: Bool) -> DCUpsample {
      DCUpsample(scope, input, output, enlarges: configuration.enlargesUp, shortcut: shortcut)
    }
    input = Convolution(weights["conv_in"], configuration.latentChannels, levels[last].channels, kernel: 3)
    shortcutRepeats = configuration.hasDecoderShortcut ? levels[last].channels / configuration.latentChannels : nil
    layers = levels.enumerated().reversed().flatMap { index, level -> [DCLayer] in
      let scope = weights["up_blocks", index]
      let isInner = index < last && level.blocks > 0
      let before: [DCLayer] = isInner ? [.upsample(up(scope[0], levels[index + 1].channels, level.channels, shortcut: true))] : []
      return before + (0..<level.blocks).map { DCLayer.block(scope[before.count + $0], level, headSize: configuration.headSize) }
    }
    let isPlain = levels[0].blocks > 0
    let channels = isPlain ? levels[0].channels : levels[1].channels
    norm = DCNorm(weights["norm_out"], channels, .rms)
    activation = configuration.outputActivation
    let scope = weights["conv_out"]
    output =
      isPlain
      ? .convolution(Convolution(scope, channels, configuration.inChannels, kernel: 3))
      : .upsample(up(scope, channels, configuration.inChannels, shortcut: false))
  }

  func callAsFunction(_ latent: Tensor) -> Tensor {
    let first = shortcutRepeats.map { input(latent) + latent.repeatInterleave($0, dim: 1) } ?? input(latent)
    return output(activation(norm(layers.reduce(first) { $1($0) })))
  }
}
