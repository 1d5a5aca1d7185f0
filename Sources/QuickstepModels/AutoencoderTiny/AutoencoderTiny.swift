public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats

/// Configuration of ``AutoencoderTiny``, read from diffusers' `config.json`.
public struct AutoencoderTinyConfiguration: Sendable, Hashable {
  /// Channels of a picture, in and out, and of a latent.
  public var inChannels = 3, outChannels = 3, latentChannels = 4
  /// Channels and residual blocks of each level, outermost first for the encoder, innermost first for the decoder.
  public var encoderChannels = [64, 64, 64, 64], encoderBlocks = [1, 3, 3, 3]
  public var decoderChannels = [64, 64, 64, 64], decoderBlocks = [3, 3, 3, 1]
  /// Latents of unit variance are z·scale.
  public var scale = 1.0
  /// Latents lie in ±magnitude around (½ − shift); used where they are stored as bytes.
  public var magnitude = 3.0, shift = 0.5

  /// The published networks, with this many latent channels: 4 for SD and SDXL, 16 for SD3 and FLUX, 32 for FLUX.2.
  public init(latentChannels: Int = 4) { self.latentChannels = latentChannels }

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 3)
    outChannels = try reader.integer("out_channels", 3)
    latentChannels = try reader.integer("latent_channels", 4)
    encoderChannels = try reader.integers("encoder_block_out_channels", encoderChannels, atMost: SettingsReader.mostHalvings)
    decoderChannels = try reader.integers("decoder_block_out_channels", decoderChannels, atMost: SettingsReader.mostHalvings)
    encoderBlocks = try reader.integers("num_encoder_blocks", encoderBlocks, in: 0...64)
    decoderBlocks = try reader.integers("num_decoder_blocks", decoderBlocks, in: 0...64)
    scale = try reader.number("scaling_factor", 1)
    magnitude = try reader.number("latent_magnitude", 3)
    shift = try reader.number("latent_shift", 0.5)
    try reader.fixed("act_fn", .string("relu"))
    try reader.fixed("upsample_fn", .string("nearest"))
    try reader.fixed("upsampling_scaling_factor", .integer(2))
    try reader.fixed("shift_factor", .integer(0))
    reader.ignore("force_upcast", "block_out_channels")
    try reader.finish()
    try reader.require(
      encoderChannels.count == encoderBlocks.count && decoderChannels.count == decoderBlocks.count
        && encoderChannels.count == decoderChannels.count,
      "the lists of channels \(encoderChannels), \(decoderChannels) and blocks \(encoderBlocks), \(decoderBlocks) differ in length")
    // A level begins with the channels that the one before ends with.
    try reader.require(
      Set(encoderChannels).count == 1 && Set(decoderChannels).count == 1,
      "channels that differ between levels (\(encoderChannels), \(decoderChannels)) are not supported")
    try reader.require(scale > 0 && magnitude > 0, "'scaling_factor' \(scale) and 'latent_magnitude' \(magnitude) must be above 0")
  }
}

/// A codec of plain convolutions, a hundredth of the cost of the full one (TAESD, Bohan 2023); diffusers' `AutoencoderTiny`, with its names of
/// parameters. Blocks with a normalised side path, as the FLUX.2 variant has them, are recognised by their weights.
public struct AutoencoderTiny: PictureCodec {
  /// `sample`, a picture, is encoded, rounded to bytes as the reference does, and decoded; `z`, a latent, is decoded.
  public static let inputs = CodecInput.names
  /// As given to the initialiser.
  public let configuration: AutoencoderTinyConfiguration
  let encoder: [TinyLayer]
  let decoder: [TinyLayer]

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: AutoencoderTinyConfiguration, weights: Weights) {
    self.configuration = configuration
    encoder = Self.encoder(configuration, weights["encoder", "layers"])
    decoder = Self.decoder(configuration, weights["decoder", "layers"])
  }

  /// Loads the two files of the original release, whose layers are numbered by themselves (the decoder's from 1).
  /// - Throws: `WeightsError` for weights that do not fit.
  public static func original(encoder: any TensorSource, decoder: any TensorSource, latentChannels: Int) throws -> AutoencoderTiny {
    var tensors: [String: Tensor] = [:]
    for name in encoder.names { tensors["encoder.layers." + name] = try encoder.tensor(name) }
    for name in decoder.names {
      let parts = name.split(separator: ".", maxSplits: 1)
      guard parts.count == 2, let index = Int(parts[0]), index > 0 else {
        throw WeightsError("\(decoder.origin): '\(name)' is no numbered layer of a tiny decoder")
      }
      tensors["decoder.layers.\(index - 1).\(parts[1])"] = try decoder.tensor(name)
    }
    let source = TensorDictionary(tensors, origin: "\(encoder.origin) and \(decoder.origin)")
    return try Weights.load(from: source) { AutoencoderTiny(AutoencoderTinyConfiguration(latentChannels: latentChannels), weights: $0) }
      .model
  }

  private static func encoder(_ configuration: AutoencoderTinyConfiguration, _ scope: Weights) -> [TinyLayer] {
    var layers: [TinyLayer] = []
    for (level, (channels, blocks)) in zip(configuration.encoderChannels, configuration.encoderBlocks).enumerated() {
      let isFirst = level == 0
      layers.append(
        .convolution(
          Convolution(
            scope[layers.count], isFirst ? configuration.inChannels : channels, channels, kernel: 3, stride: isFirst ? 1 : 2, bias: isFirst)
        ))
      for _ in 0..<blocks { layers.append(.block(TinyBlock(scope[layers.count], channels: channels))) }
    }
    let last = configuration.encoderChannels[configuration.encoderChannels.count - 1]
    layers.append(.convolution(Convolution(scope[layers.count], last, configuration.latentChannels, kernel: 3)))
    return layers
  }

  private static func decoder(_ configuration: AutoencoderTinyConfiguration, _ scope: Weights) -> [TinyLayer] {
    let channels = configuration.decoderChannels[0]
    var layers: [TinyLayer] = [.convolution(Convolution(scope[0], configuration.latentChannels, channels, kernel: 3)), .activation]
    for (level, blocks) in configuration.decoderBlocks.enumerated() {
      let isLast = level == configuration.decoderBlocks.count - 1
      for _ in 0..<blocks { layers.append(.block(TinyBlock(scope[layers.count], channels: channels))) }
      if !isLast { layers.append(.double) }
      layers.append(
        .convolution(Convolution(scope[layers.count], channels, isLast ? configuration.outChannels : channels, kernel: 3, bias: isLast)))
    }
    return layers
  }

  /// Pixels per latent pixel and side.
  public var factor: Int { 1 << (configuration.encoderChannels.count - 1) }

  /// `[B, C, H, W]` in −1…1 to `[B, latent, H/factor, W/factor]`.
  public func encode(_ picture: Tensor) -> Tensor { encoder.reduce((picture + 1) / 2) { $1($0) } }

  /// `[B, latent, H, W]` to a picture `[B, C, H·factor, W·factor]`, about −1…1. Latents are bounded softly at ±3 first.
  public func decode(_ latent: Tensor) -> Tensor { decoder.reduce((latent / 3).tanh() * 3) { $1($0) } * 2 - 1 }

  public func picture(_ latents: Tensor) -> Tensor { decode(latents / configuration.scale) }
  public func latents(_ picture: Tensor) -> Tensor { encode(picture) * configuration.scale }

  /// A block's input, its inner tensors and what a convolution makes of its input.
  public func workingBytes(pictureSide: (width: Int, height: Int), elementBytes: Int, inStrips: Bool) -> Int {
    5 * max(configuration.decoderChannels[0], configuration.encoderChannels[0]) * pictureSide.width * pictureSide.height * elementBytes
  }

  /// - Returns: `sample`, a picture; with a `sample` given also `latents`, before they are rounded.
  /// - Throws: ``ComponentError`` unless exactly one of `sample` and `z` is given, as `[B, C, H, W]` with sides that can be halved as often
  ///   as the network does.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    let (picture, latent) = (configuration.inChannels, configuration.latentChannels)
    switch try input(inputs, pictureChannels: picture, latentChannels: latent) {
    case .latent(let latent): return try withTensorErrors { ["sample": decode(latent)] }
    case .picture(let picture):
      return try withTensorErrors {
        let latents = encode(picture)
        let (span, shift) = (2 * configuration.magnitude, configuration.shift)
        let bytes = ((latents / span + shift).clamp(min: 0, max: 1) * 255).round()
        return ["sample": decode((bytes / 255 - shift) * span), "latents": latents]
      }
    }
  }
}

/// One entry of the network's list of layers.
enum TinyLayer: Sendable {
  case convolution(Convolution)
  case block(TinyBlock)
  case activation
  case double

  func callAsFunction(_ input: Tensor) -> Tensor {
    switch self {
    case .convolution(let convolution): convolution(input)
    case .block(let block): block(input)
    case .activation: input.relu()
    case .double: input.upsampleNearest2d([input.size(2) * 2, input.size(3) * 2])
    }
  }
}

/// Three convolutions with ReLU between, a residual, and ReLU. `[B, C, H, W] → [B, C, H, W]`.
struct TinyBlock: Sendable {
  let convolutions: [Convolution]
  let side: (first: Convolution, norm: GroupNorm, second: Convolution)?

  init(_ weights: Weights, channels: Int) {
    convolutions = [0, 2, 4].map { Convolution(weights["conv", $0], channels, channels, kernel: 3) }
    let scope = weights["pool"]
    side =
      scope.has("0.weight")
      ? (
        Convolution(scope[0], channels, 4 * channels, kernel: 1, bias: false), GroupNorm(scope[1], groups: 4, channels: 4 * channels),
        Convolution(scope[3], 4 * channels, channels, kernel: 1, bias: false)
      ) : nil
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = side.map { input + $0.second($0.norm($0.first(input)).relu()) } ?? input
    let inner = convolutions[2](convolutions[1](convolutions[0](hidden).relu()).relu())
    return (inner + hidden).relu()
  }
}
