import QuickstepFormats

/// Configuration of ``PixArtTransformer``, read from diffusers' `config.json`. Keys are those of `PixArtTransformer2DModel`.
public struct PixArtConfiguration: Sendable, Hashable {
  /// Channels of a latent; twice as many come out, the second half standing for a variance.
  public var inChannels: Int, outChannels: Int
  /// Side of the square latents it was trained on, and of a patch.
  public var sampleSize: Int, patchSize: Int
  /// Positions are divided by this.
  public var positionScale: Double
  /// Blocks, attention heads, and channels of a head.
  public var layers: Int, heads: Int, headSize: Int
  /// Channels of the encoded prompt; `nil` where it comes in the channels that the blocks attend to.
  public var promptSize: Int?
  /// Channels that the blocks attend to.
  public var contextSize: Int
  /// Whether queries, keys and values have a bias.
  public var hasAttentionBias: Bool
  /// Of the normalisations in the blocks.
  public var epsilon: Double
  /// Whether the network is told size and aspect ratio of the picture (PixArt-α at 1024 pixels).
  public var hasSizes: Bool

  /// Channels of a token.
  public var hiddenSize: Int { heads * headSize }

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 4)
    outChannels = file.members["out_channels"] == .null ? inChannels : try reader.integer("out_channels", 8)
    sampleSize = try reader.integer("sample_size", 128, in: 1...4096)
    patchSize = try reader.integer("patch_size", 2, in: 1...1024)
    positionScale = try reader.number("interpolation_scale", Double(max(sampleSize / 64, 1)))
    layers = try reader.integer("num_layers", 28, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 16, in: 1...1024)
    headSize = try reader.integer("attention_head_dim", 72, in: 1...4096)
    promptSize = try reader.optionalInteger("caption_channels")
    contextSize = try reader.integer("cross_attention_dim", 1152)
    hasAttentionBias = try reader.flag("attention_bias", true)
    epsilon = try reader.number("norm_eps", 1e-6)
    hasSizes = try reader.flag("use_additional_conditions", sampleSize == 128)
    try reader.fixed("norm_type", .string("ada_norm_single"))
    try reader.fixed("activation_fn", .string("gelu-approximate"))
    try reader.fixed("norm_elementwise_affine", .bool(false))
    try FormerTransformer.checkSettings(reader)
    // Of a table that networks of this kind do not have.
    reader.ignore("num_embeds_ada_norm")
    try reader.finish()
    try reader.require(
      file.members["cross_attention_dim"] != .null, "'cross_attention_dim' is null, which is not supported; expected a whole number")
    try reader.require(
      promptSize == nil || contextSize == hiddenSize,
      "'cross_attention_dim' is \(contextSize); with 'caption_channels' it must be heads × 'attention_head_dim' (\(hiddenSize))")
    try reader.require(sampleSize % patchSize == 0, "'sample_size' is \(sampleSize), no multiple of 'patch_size' (\(patchSize))")
    try reader.require(
      hiddenSize % (hasSizes ? 12 : 4) == 0 && hiddenSize <= 65536,
      "heads × 'attention_head_dim' is \(hiddenSize); it must be a multiple of \(hasSizes ? 12 : 4)")
    try reader.require(positionScale > 0, "'interpolation_scale' is \(positionScale); it must be above 0")
  }
}
