import QuickstepFormats
import QuickstepTensor

/// Configuration of ``AutoencoderDC``, read from diffusers' `config.json`.
public struct AutoencoderDCConfiguration: Sendable, Hashable {
  /// What a level is built of.
  public enum Block: String, Sendable { case residual = "ResBlock", attention = "EfficientViTBlock" }
  /// What normalises: over the channels of a pixel, or with the statistics of training.
  public enum Norm: String, Sendable { case rms = "rms_norm", batch = "batch_norm" }
  /// What stands between convolutions.
  public enum Activation: String, Sendable { case silu, relu }

  /// One level of the encoder or the decoder.
  public struct Level: Sendable, Hashable {
    /// Channels, and number and kind of blocks. Only the outermost level may have none.
    public var channels: Int, blocks: Int, block: Block
    /// Sides of the kernels that widen the attention's queries, keys and values.
    public var kernels: [Int]
    /// In the blocks.
    public var norm: Norm, activation: Activation
  }

  /// Channels of a picture and of a latent.
  public var inChannels: Int, latentChannels: Int
  /// Channels of an attention head.
  public var headSize: Int
  /// Outermost first, both.
  public var encoder: [Level], decoder: [Level]
  /// Sides are halved by folding pixels into channels, and not by a stride; doubled by enlarging, and not by unfolding.
  public var foldsDown: Bool, enlargesUp: Bool
  /// Means of channels around the encoder's last convolution, repeated channels around the decoder's first.
  public var hasEncoderShortcut: Bool, hasDecoderShortcut: Bool
  /// Before the decoder's last convolution.
  public var outputActivation: Activation
  /// Latents of unit variance are z·scale.
  public var scale: Double

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 3)
    latentChannels = try reader.integer("latent_channels", 32)
    headSize = try reader.integer("attention_head_dim", 32, in: 1...4096)
    encoder = try Self.levels(reader, "encoder", blocks: [2, 2, 2, 3, 3, 3])
    decoder = try Self.levels(reader, "decoder", blocks: [3, 3, 3, 3, 3, 3])
    foldsDown = try reader.text("downsample_block_type", "pixel_unshuffle", of: ["pixel_unshuffle", "conv", "Conv"]) == "pixel_unshuffle"
    enlargesUp = try reader.text("upsample_block_type", "pixel_shuffle", of: ["pixel_shuffle", "interpolate"]) == "interpolate"
    hasEncoderShortcut = try reader.flag("encoder_out_shortcut", true)
    hasDecoderShortcut = try reader.flag("decoder_in_shortcut", true)
    outputActivation = try reader.text("decoder_conv_act_fn", "relu", of: ["relu", "silu"]) == "relu" ? .relu : .silu
    scale = try reader.number("scaling_factor", 1)
    try reader.finish()
    try reader.require(scale > 0, "'scaling_factor' is \(scale); it must be above 0")
    try reader.require(
      encoder.count == decoder.count, "the encoder has \(encoder.count) levels, the decoder \(decoder.count); both need as many")
    try check(reader, encoder, "encoder")
    try check(reader, decoder, "decoder")
  }

  private static func levels(_ reader: SettingsReader, _ side: String, blocks standard: [Int]) throws -> [Level] {
    let channels = try reader.integers(
      "\(side)_block_out_channels", [128, 256, 512, 512, 1024, 1024], atMost: SettingsReader.mostHalvings, in: 1...16384)
    let count = channels.count
    let blocks = try reader.integers("\(side)_layers_per_block", standard, in: 0...64)
    let kinds = try reader.textsPerLevel("\(side)_block_types", "ResBlock", of: ["ResBlock", "EfficientViTBlock"], count: count)
    let kernels = try reader.lists("\(side)_qkv_multiscales", [[], [], [], [5], [5], [5]], in: 1...63)
    // The encoder's are not a matter of choice in the reference.
    let isDecoder = side == "decoder"
    let norms = isDecoder ? try reader.textsPerLevel("decoder_norm_types", "rms_norm", of: ["rms_norm", "batch_norm"], count: count) : []
    let activations = isDecoder ? try reader.textsPerLevel("decoder_act_fns", "silu", of: ["silu", "relu"], count: count) : []
    try reader.require(
      blocks.count == count && kernels.count == count,
      "'\(side)_block_out_channels' has \(count) levels, '\(side)_layers_per_block' \(blocks.count), '\(side)_qkv_multiscales' \(kernels.count)"
    )
    return channels.indices.map { level in
      Level(
        channels: channels[level], blocks: blocks[level], block: Block(rawValue: kinds[level]) ?? .residual, kernels: kernels[level],
        norm: isDecoder ? Norm(rawValue: norms[level]) ?? .rms : .rms,
        activation: isDecoder ? Activation(rawValue: activations[level]) ?? .silu : .silu)
    }
  }

  /// Numbers that go into each other where channels are folded, averaged and repeated.
  private func check(_ reader: SettingsReader, _ levels: [Level], _ side: String) throws {
    let channels = levels.map(\.channels)
    try reader.require(
      levels.dropFirst().allSatisfy { $0.blocks > 0 } && (levels.count > 1 || levels[0].blocks > 0),
      "'\(side)_layers_per_block' is \(levels.map(\.blocks)); only the outermost of several levels may be without blocks")
    try reader.require(
      levels.allSatisfy { $0.block == .residual || $0.channels % headSize == 0 },
      "'\(side)_block_out_channels' \(channels) must be multiples of 'attention_head_dim' (\(headSize)) where a level attends")
    try reader.require(
      levels.allSatisfy { $0.kernels.allSatisfy { $0 % 2 == 1 } }, "'\(side)_qkv_multiscales' \(levels.map(\.kernels)) must be odd")
    let isEncoder = side == "encoder"
    try reader.require(
      zip(channels, channels.dropFirst()).allSatisfy { outer, inner in outer * 4 % inner == 0 },
      "'\(side)_block_out_channels' is \(channels); four times the channels of a level must be a multiple of those of the next one")
    try reader.require(
      !isEncoder || !foldsDown || channels.dropFirst().allSatisfy { $0 % 4 == 0 },
      "'encoder_block_out_channels' is \(channels); with 'pixel_unshuffle' all but the first must be multiples of 4")
    try reader.require(
      !(isEncoder ? hasEncoderShortcut : hasDecoderShortcut) || channels[channels.count - 1] % latentChannels == 0,
      "the last of '\(side)_block_out_channels' \(channels) must be a multiple of 'latent_channels' (\(latentChannels))")
  }
}

extension AutoencoderDCConfiguration.Activation {
  func callAsFunction(_ input: Tensor) -> Tensor { self == .relu ? input.relu() : input.silu() }
}
