import QuickstepFormats

/// Configuration of ``SD3Transformer``, read from diffusers' `config.json`. Keys are those of `SD3Transformer2DModel`.
public struct SD3Configuration: Sendable, Hashable {
  /// Channels of a latent, in and out.
  public var inChannels: Int, outChannels: Int
  /// Side of the square latents it was trained on, and of a patch.
  public var sampleSize: Int, patchSize: Int
  /// Side of the table of positions, in patches. The middle of it is used.
  public var positionSize: Int
  /// Blocks, attention heads, and channels of a head.
  public var layers: Int, heads: Int, headSize: Int
  /// Channels of the encoded prompt and of its summary.
  public var promptSize: Int, pooledSize: Int
  /// Blocks in which the picture attends to itself alone as well (SD3.5 medium).
  public var secondAttentionLayers: Set<Int>
  /// Whether queries and keys are RMS-normalised per head (SD3.5).
  public var normalisesHeads: Bool

  /// Channels of a token.
  public var hiddenSize: Int { heads * headSize }

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 16)
    outChannels = file.members["out_channels"] == .null ? inChannels : try reader.integer("out_channels", 16)
    sampleSize = try reader.integer("sample_size", 128, in: 1...4096)
    patchSize = try reader.integer("patch_size", 2, in: 1...1024)
    positionSize = try reader.integer("pos_embed_max_size", 96, in: 1...4096)
    layers = try reader.integer("num_layers", 18, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 18, in: 1...1024)
    headSize = try reader.integer("attention_head_dim", 64, in: 1...4096)
    promptSize = try reader.integer("joint_attention_dim", 4096)
    pooledSize = try reader.integer("pooled_projection_dim", 2048)
    let projected = try reader.integer("caption_projection_dim", 1152)
    secondAttentionLayers = Set(try reader.positions("dual_attention_layers", below: layers))
    normalisesHeads = try reader.optionalText("qk_norm", of: ["rms_norm"]) != nil
    try reader.finish()
    try reader.require(
      file.members["pos_embed_max_size"] != .null, "'pos_embed_max_size' is null, which is not supported; expected a whole number")
    try reader.require(
      projected == hiddenSize, "'caption_projection_dim' is \(projected); it must be heads × 'attention_head_dim' (\(hiddenSize))")
    try reader.require(
      hiddenSize % 4 == 0 && hiddenSize <= 65536, "heads × 'attention_head_dim' is \(hiddenSize); it must be a multiple of 4")
    try reader.require(
      sampleSize >= patchSize, "'sample_size' is \(sampleSize), less than 'patch_size' (\(patchSize))")
  }
}
