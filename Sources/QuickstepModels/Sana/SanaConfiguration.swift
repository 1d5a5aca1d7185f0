import QuickstepFormats

/// Configuration of ``SanaTransformer``, read from diffusers' `config.json`. Keys are those of `SanaTransformer2DModel`.
public struct SanaConfiguration: Sendable, Hashable {
  /// Channels of a latent, in and out.
  public var inChannels: Int, outChannels: Int
  /// Side of the square latents it was trained on, and of a patch.
  public var sampleSize: Int, patchSize: Int
  /// Positions are added and divided by this; `nil`: there are none, the convolutions tell tokens where they are.
  public var positionScale: Double?
  /// Blocks, heads of the linear attention, and channels of a head.
  public var layers: Int, heads: Int, headSize: Int
  /// Heads of the attention to the prompt, and channels of a head.
  public var crossHeads: Int, crossHeadSize: Int
  /// Channels of the encoded prompt.
  public var promptSize: Int
  /// Channels within the feed-forward part, in those of a token.
  public var expansion: Double
  /// Whether queries, keys and values of the linear attention have a bias.
  public var hasAttentionBias: Bool
  /// Whether queries and keys are RMS-normalised over all heads (Sana Sprint).
  public var normalisesHeads: Bool
  /// Of the normalisations in the blocks.
  public var epsilon: Double
  /// Whether the network is told a guidance scale (Sana Sprint), and what that is multiplied by first.
  public var embedsGuidance: Bool, guidanceFactor: Double
  /// What timesteps are multiplied by first.
  public var timestepFactor: Double

  /// Channels of a token.
  public var hiddenSize: Int { heads * headSize }

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 32)
    outChannels = file.members["out_channels"] == .null ? inChannels : try reader.integer("out_channels", 32)
    sampleSize = try reader.integer("sample_size", 32, in: 1...4096)
    patchSize = try reader.integer("patch_size", 1, in: 1...1024)
    positionScale = file.members["interpolation_scale"].map { $0 == .null } ?? true ? nil : try reader.number("interpolation_scale", 1)
    layers = try reader.integer("num_layers", 20, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 70, in: 1...1024)
    headSize = try reader.integer("attention_head_dim", 32, in: 1...4096)
    crossHeads = try reader.integer("num_cross_attention_heads", 20, in: 1...1024)
    crossHeadSize = try reader.integer("cross_attention_head_dim", 112, in: 1...4096)
    let contextSize = try reader.integer("cross_attention_dim", 2240)
    promptSize = try reader.integer("caption_channels", 2304)
    expansion = try reader.number("mlp_ratio", 2.5)
    hasAttentionBias = try reader.flag("attention_bias", false)
    normalisesHeads = try reader.optionalText("qk_norm", of: ["rms_norm_across_heads"]) != nil
    epsilon = try reader.number("norm_eps", 1e-6)
    embedsGuidance = try reader.flag("guidance_embeds", false)
    guidanceFactor = try reader.number("guidance_embeds_scale", 0.1)
    timestepFactor = try reader.number("timestep_scale", 1)
    try reader.fixed("norm_elementwise_affine", .bool(false))
    reader.ignore("dropout")
    try reader.finish()
    try reader.require(
      contextSize == hiddenSize, "'cross_attention_dim' is \(contextSize); it must be heads × 'attention_head_dim' (\(hiddenSize))")
    try reader.require(
      hiddenSize <= 65536 && crossHeads * crossHeadSize <= 65536,
      "heads × channels of a head are \(hiddenSize) and, for the prompt, \(crossHeads * crossHeadSize); at most 65536")
    try reader.require(
      positionScale == nil || (positionScale ?? 0 > 0 && hiddenSize % 4 == 0 && sampleSize >= patchSize),
      "'interpolation_scale' is \(positionScale ?? 0); it must be above 0, and heads × 'attention_head_dim' a multiple of 4")
    try reader.require(
      expansion > 0 && expansion * Double(hiddenSize) >= 1 && expansion <= 64, "'mlp_ratio' is \(expansion); allowed: above 0, to 64")
  }
}
