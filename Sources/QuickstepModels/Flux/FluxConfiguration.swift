import QuickstepFormats

/// Configuration of ``FluxTransformer``, read from diffusers' `config.json`. Keys are those of `FluxTransformer2DModel`.
public struct FluxConfiguration: Sendable, Hashable {
  /// Channels of a token, in and out: four pixels of a latent.
  public var inChannels: Int, outChannels: Int
  /// Blocks of two streams, and blocks of one that follow.
  public var layers: Int, singleLayers: Int
  /// Attention heads, and channels of a head.
  public var heads: Int, headSize: Int
  /// Channels of the encoded prompt and of its summary.
  public var promptSize: Int, pooledSize: Int
  /// Whether the network is told a guidance scale (FLUX dev; not schnell).
  public var embedsGuidance: Bool
  /// Channels of a head that turn with each of the three positions of a token: an index that is 0 in pictures, row, and column.
  public var axes: [Int]

  /// Channels of a token inside.
  public var hiddenSize: Int { heads * headSize }

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 64)
    outChannels = try reader.integer("out_channels", inChannels)
    layers = try reader.integer("num_layers", 19, in: 1...1000)
    singleLayers = try reader.integer("num_single_layers", 38, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 24, in: 1...1024)
    headSize = try reader.integer("attention_head_dim", 128, in: 1...4096)
    promptSize = try reader.integer("joint_attention_dim", 4096)
    pooledSize = try reader.integer("pooled_projection_dim", 768)
    embedsGuidance = try reader.flag("guidance_embeds", false)
    axes = try reader.integers("axes_dims_rope", [16, 56, 56], in: 2...4096)
    try reader.fixed("patch_size", .integer(1))
    try reader.finish()
    try reader.require(
      axes.count == 3 && axes.allSatisfy { $0 % 2 == 0 } && axes.reduce(0, +) == headSize,
      "'axes_dims_rope' is \(axes); it must be three even numbers that add up to 'attention_head_dim' (\(headSize))")
    try reader.require(
      inChannels % 4 == 0 && outChannels % 4 == 0,
      "'in_channels' is \(inChannels) and 'out_channels' \(outChannels); both must be multiples of 4, since a token is four pixels")
    try reader.require(hiddenSize <= 65536, "heads × 'attention_head_dim' is \(hiddenSize); at most 65536")
  }
}
