import QuickstepFormats

/// Configuration of ``AutoencoderKL``, read from diffusers' `config.json`.
public struct AutoencoderKLConfiguration: Sendable, Hashable {
  /// Channels of a picture, in and out.
  public var inChannels: Int, outChannels: Int
  /// Channels of a latent.
  public var latentChannels: Int
  /// Channels of each level, outermost first.
  public var blockChannels: [Int]
  /// Residual blocks of the encoder at each level; the decoder has one more.
  public var layersPerBlock: Int
  /// Groups of every normalisation.
  public var groups: Int
  /// Latents of unit variance are (z − shift)·scale.
  public var scale: Double, shift: Double
  /// Whether 1×1 convolutions stand after the encoder and before the decoder.
  public var hasQuantConvolution: Bool, hasPostQuantConvolution: Bool
  /// Whether the middle attends.
  public var middleAttends: Bool
  /// Whether it is meant to run in float32 where the rest runs in float16, whose range its activations leave: `force_upcast`, true where it is
  /// not said.
  public var needsFloat32: Bool

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 3)
    outChannels = try reader.integer("out_channels", 3)
    latentChannels = try reader.integer("latent_channels", 4)
    blockChannels = try reader.integers("block_out_channels", [64], atMost: SettingsReader.mostHalvings)
    let down = try reader.texts("down_block_types", ["DownEncoderBlock2D"], of: ["DownEncoderBlock2D"])
    let up = try reader.texts("up_block_types", ["UpDecoderBlock2D"], of: ["UpDecoderBlock2D"])
    layersPerBlock = try reader.integer("layers_per_block", 1, in: 1...64)
    groups = try reader.integer("norm_num_groups", 32)
    scale = try reader.number("scaling_factor", 0.18215)
    shift = try reader.number("shift_factor", 0)
    hasQuantConvolution = try reader.flag("use_quant_conv", true)
    hasPostQuantConvolution = try reader.flag("use_post_quant_conv", true)
    middleAttends = try reader.flag("mid_block_add_attention", true)
    try reader.fixed("act_fn", .string("silu"), .string("swish"))
    for key in ["latents_mean", "latents_std"] { try reader.fixed(key, .null) }
    needsFloat32 = try reader.flag("force_upcast", true)
    reader.ignore("sample_size")
    try reader.finish()
    let count = blockChannels.count
    try reader.require(
      down.count == count && up.count == count,
      "'block_out_channels' has \(count) levels, 'down_block_types' \(down.count), 'up_block_types' \(up.count)")
    try reader.require(
      blockChannels.allSatisfy { $0 % groups == 0 },
      "'block_out_channels' \(blockChannels) must be multiples of 'norm_num_groups' \(groups)")
    try reader.require(scale > 0, "'scaling_factor' is \(scale); it must be above 0")
  }
}
