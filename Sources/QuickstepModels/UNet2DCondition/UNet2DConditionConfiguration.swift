import QuickstepFormats

/// Configuration of ``UNet2DCondition``, read from diffusers' `config.json`. Keys are those of `UNet2DConditionModel`.
public struct UNet2DConditionConfiguration: Sendable, Hashable {
  /// How `class_labels` enter: a table, or a vector through two linear layers.
  public enum ClassEmbedding: Sendable, Hashable {
    /// `num_class_embeds`: a table of that many rows.
    case table(Int)
    /// `timestep`: numbers embedded as times are (the noise level of upscalers).
    case timestep
    /// `identity`: vectors `[B, time_embed_dim]` as they are.
    case identity
    /// `projection`: vectors of this many channels through two linear layers.
    case projection(Int)
    /// `simple_projection`: the same through one.
    case simpleProjection(Int)
  }

  /// SDXL's additional embedding.
  public struct TimeIDs: Sendable, Hashable {
    /// Sines and cosines per number in `time_ids`.
    public var features: Int
    /// Channels of these and of the pooled prompt together.
    public var total: Int
  }

  /// Channels of a sample, in and out.
  public var inChannels: Int, outChannels: Int
  /// Side of the latents it was trained on, where the file says so.
  public var sampleSize: Int?
  /// Sides of the first and the last convolution.
  public var inputKernel: Int, outputKernel: Int
  /// Channels of each level, outermost first.
  public var blockChannels: [Int]
  /// Residual blocks on the way down at each level; on the way up there is one more.
  public var layersPerBlock: [Int]
  /// What follows the residual blocks of each level on the way down, and on the way up (outermost first as well).
  public var down: [BlockAttention], up: [BlockAttention]
  /// The condition has two parts (`dual_cross_attention`), each with transformers of its own.
  public var hasDualConditions: Bool
  /// What stands in the middle: attention between two residual blocks, one residual block, or nothing.
  public var middle: Middle
  /// Transformer blocks at each level, down and up (outermost first).
  public var downDepths: [Int], upDepths: [Int]
  /// Attention heads at each level.
  public var heads: [Int]
  /// Channels of the encoded prompt at each level.
  public var contextSizes: [Int]
  /// Levels whose first attention goes to the prompt too. The middle's never does.
  public var onlyCrossAttention: [Bool]
  /// Tokens go in and out of attention through linear layers (SD 2, SDXL).
  public var usesLinearProjection: Bool
  /// Of every group normalisation.
  public var groups: Int, epsilon: Double
  /// `true`: cosines of the time first.
  public var cosinesFirst: Bool, frequencyShift: Double
  /// Channels of the embedded time.
  public var timeSize: Int
  /// Channels of the guidance scale's embedding (`time_cond_proj_dim`), in distilled models.
  public var guidanceSize: Int?
  /// How classes enter, and whether they are appended to the time and not added.
  public var classEmbedding: ClassEmbedding?, concatenatesClasses: Bool
  /// How sizes and pooled prompt enter (`addition_embed_type` `text_time`, SDXL).
  public var timeIDs: TimeIDs?
  /// Channels of the prompt before a projection of the model's own (`encoder_hid_dim_type` `text_proj`).
  public var promptSize: Int?
  /// Inputs −1…1 are expected as 0…1 by some (`center_input_sample`).
  public var centersInput: Bool
  /// Divisor after the middle's blocks.
  public var middleScale: Double

  /// What follows the residual blocks of a level.
  public enum BlockAttention: Sendable, Hashable {
    /// Transformer blocks that attend to the pixels and to the prompt.
    case cross
    /// Attention of the pixels to each other.
    case pixels
    /// Nothing.
    case none

    /// From the name of diffusers' block.
    init(blockType: String) { self = blockType.hasPrefix("CrossAttn") ? .cross : blockType.hasPrefix("Attn") ? .pixels : .none }
  }

  /// What stands in the middle.
  public enum Middle: String, Sendable, Hashable { case crossAttention = "UNetMidBlock2DCrossAttn", residual = "UNetMidBlock2D", none }

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 4)
    outChannels = try reader.integer("out_channels", 4)
    sampleSize = try reader.optionalInteger("sample_size")
    let (crossDown, crossUp) = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D")
    let down = try reader.texts(
      "down_block_types", [crossDown, crossDown, crossDown, "DownBlock2D"], of: ["DownBlock2D", crossDown, "AttnDownBlock2D"])
    let up = try reader.texts("up_block_types", ["UpBlock2D", crossUp, crossUp, crossUp], of: ["UpBlock2D", crossUp, "AttnUpBlock2D"])
    blockChannels = try reader.integers("block_out_channels", [320, 640, 1280, 1280])
    let count = blockChannels.count
    try reader.require(
      down.count == count && up.count == count,
      "'block_out_channels' has \(count) levels, 'down_block_types' \(down.count), 'up_block_types' \(up.count)")
    self.down = down.map(BlockAttention.init(blockType:))
    self.up = up.reversed().map(BlockAttention.init(blockType:))
    hasDualConditions = try reader.flag("dual_cross_attention", false)
    let middleType = try reader.text(
      "mid_block_type", Middle.crossAttention.rawValue, of: [Middle.crossAttention, .residual].map(\.rawValue))
    middle = file.members["mid_block_type"] == .null ? .none : Middle(rawValue: middleType) ?? .none
    layersPerBlock = try reader.integers("layers_per_block", Array(repeating: 2, count: count), count: count, in: 1...64)
    downDepths = try reader.integers("transformer_layers_per_block", Array(repeating: 1, count: count), count: count, in: 1...64)
    upDepths = try reader.integers("reverse_transformer_layers_per_block", downDepths.reversed(), count: count, in: 1...64).reversed()
    heads = try reader.integers("attention_head_dim", Array(repeating: 8, count: count), count: count, in: 1...4096)
    contextSizes = try reader.integers("cross_attention_dim", Array(repeating: 1280, count: count), count: count)
    onlyCrossAttention = try reader.flags("only_cross_attention", false, count: count)
    usesLinearProjection = try reader.flag("use_linear_projection", false)
    groups = try reader.integer("norm_num_groups", 32)
    epsilon = try reader.number("norm_eps", 1e-5)
    cosinesFirst = try reader.flag("flip_sin_to_cos", true)
    frequencyShift = try reader.number("freq_shift", 0)
    inputKernel = try reader.integer("conv_in_kernel", 3, in: 1...63)
    outputKernel = try reader.integer("conv_out_kernel", 3, in: 1...63)
    timeSize = try reader.integer("time_embedding_dim", blockChannels[0] * 4)
    guidanceSize = try reader.optionalInteger("time_cond_proj_dim")
    centersInput = try reader.flag("center_input_sample", false)
    middleScale = try reader.number("mid_block_scale_factor", 1)
    concatenatesClasses = try reader.flag("class_embeddings_concat", false)
    let additions = try Self.additions(reader)
    (classEmbedding, timeIDs, promptSize) = additions
    try Self.checkFixed(reader)
    try reader.finish()
    try reader.require(
      zip(blockChannels, heads).allSatisfy { $0 % $1 == 0 && $0 % groups == 0 },
      "'block_out_channels' \(blockChannels) must be multiples of 'norm_num_groups' \(groups) and of 'attention_head_dim' \(heads)")
    try reader.require(
      up.indices.allSatisfy { self.up[$0] != .pixels || blockChannels[$0] % heads[count - 1 - $0] == 0 },
      "'block_out_channels' \(blockChannels) do not suit 'attention_head_dim' \(heads) where 'up_block_types' has AttnUpBlock2D")
    try reader.require(
      inputKernel % 2 == 1 && outputKernel % 2 == 1, "'conv_in_kernel' \(inputKernel) and 'conv_out_kernel' \(outputKernel) must be odd")
    try reader.require(blockChannels[0] % 2 == 0, "'block_out_channels' begins with \(blockChannels[0]), which is odd")
  }

  private static func additions(_ reader: SettingsReader) throws -> (ClassEmbedding?, TimeIDs?, Int?) {
    let classType = try reader.optionalText("class_embed_type", of: ["timestep", "identity", "projection", "simple_projection"])
    let rows = try reader.optionalInteger("num_class_embeds", in: 1...1_000_000)
    let projected = try reader.optionalInteger("projection_class_embeddings_input_dim")
    let addition = try reader.optionalText("addition_embed_type", of: ["text_time"])
    let features = try reader.optionalInteger("addition_time_embed_dim")
    let promptType = try reader.optionalText("encoder_hid_dim_type", of: ["text_proj"])
    let promptSize = try reader.optionalInteger("encoder_hid_dim")
    func needed(_ value: Int?, _ key: String, _ by: String) throws -> Int {
      try reader.require(value != nil, "'\(by)' needs '\(key)'")
      return value ?? 1
    }
    let embedding: ClassEmbedding? =
      switch classType {
      case "timestep": .timestep
      case "identity": .identity
      case "projection": .projection(try needed(projected, "projection_class_embeddings_input_dim", "class_embed_type"))
      case "simple_projection": .simpleProjection(try needed(projected, "projection_class_embeddings_input_dim", "class_embed_type"))
      default: rows.map { .table($0) }
      }
    let ids = try addition.map { _ in
      TimeIDs(
        features: try needed(features, "addition_time_embed_dim", "addition_embed_type"),
        total: try needed(projected, "projection_class_embeddings_input_dim", "addition_embed_type"))
    }
    return (embedding, ids, promptType == nil ? promptSize : try needed(promptSize, "encoder_hid_dim", "encoder_hid_dim_type"))
  }

  /// What the reference has and this network has not.
  private static func checkFixed(_ reader: SettingsReader) throws {
    try reader.fixed("act_fn", .string("silu"), .string("swish"))
    try reader.fixed("downsample_padding", .integer(1))
    try reader.fixed("resnet_time_scale_shift", .string("default"))
    try reader.fixed("resnet_skip_time_act", .bool(false))
    try reader.fixed("time_embedding_type", .string("positional"))
    try reader.fixed("attention_type", .string("default"))
    for key in ["num_attention_heads", "time_embedding_act_fn", "timestep_post_act", "cross_attention_norm"] {
      try reader.fixed(key, .null)
    }
    // Upcasting changes nothing in float32; the rest is read with settings that are refused above, or by types of blocks that are.
    reader.ignore(
      "dropout", "upcast_attention", "addition_embed_type_num_heads", "mid_block_only_cross_attention", "resnet_out_scale_factor")
  }
}
