import QuickstepFormats

/// Configuration of ``ControlNet``, read from diffusers' `config.json`. Keys are those of `ControlNetModel`.
public struct ControlNetConfiguration: Sendable, Hashable {
  /// What it shares with the U-Net it steers: levels, attentions, embeddings of time, class and sizes.
  public var network: UNet2DConditionConfiguration
  /// Channels of the control picture.
  public var conditioningChannels: Int
  /// Channels of the layers that embed it, each at half the side of the one before.
  public var embeddingChannels: [Int]
  /// The control picture's channels are turned around before use (`bgr`).
  public var reversesChannels: Bool
  /// Only the means over the pixels are handed on.
  public var poolsResiduals: Bool

  /// Keys of the U-Net's configuration that a ControlNet has no use for.
  private static let foreign = [
    "up_block_types", "out_channels", "sample_size", "reverse_transformer_layers_per_block", "time_cond_proj_dim", "time_embedding_dim",
    "center_input_sample", "resnet_out_scale_factor", "class_embeddings_concat", "dual_cross_attention", "conv_in_kernel",
    "conv_out_kernel",
  ]

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let own = [
      "conditioning_channels", "conditioning_embedding_out_channels", "controlnet_conditioning_channel_order", "global_pool_conditions",
    ]
    let reader = SettingsReader(ConfigurationFile(path: file.path, members: file.members.filter { own.contains($0.key) }))
    conditioningChannels = try reader.integer("conditioning_channels", 3)
    embeddingChannels = try reader.integers(
      "conditioning_embedding_out_channels", [16, 32, 96, 256], atMost: SettingsReader.mostHalvings)
    reversesChannels = try reader.text("controlnet_conditioning_channel_order", "rgb", of: ["rgb", "bgr"]) == "bgr"
    poolsResiduals = try reader.flag("global_pool_conditions", false)
    let unknown = Self.foreign.filter { file.members[$0] != nil }
    try reader.require(unknown.isEmpty, "unknown keys: \(unknown.joined(separator: ", "))")
    // The reference makes these and then does not use them, or makes nothing of them.
    for key in ["encoder_hid_dim", "encoder_hid_dim_type"] {
      try reader.require(file.members[key] ?? .null == .null, "'\(key)' is not supported in a ControlNet")
    }
    try reader.require(
      file.members["class_embed_type"]?.string != "simple_projection", "'class_embed_type' simple_projection is not supported")
    try reader.require(file.members["mid_block_type"] != .null, "'mid_block_type' is null; a ControlNet needs a middle")
    var members = file.members.filter { !own.contains($0.key) }
    let down = members["down_block_types"]?.array?.compactMap(\.string)
    try reader.require(
      down?.contains("AttnDownBlock2D") != true, "'down_block_types' holds AttnDownBlock2D, which is not supported in a ControlNet")
    // The way up is not there; any will do.
    if let count = members["down_block_types"]?.array?.count, count <= 64 {
      members["up_block_types"] = .array(Array(repeating: .string("UpBlock2D"), count: count))
    }
    network = try UNet2DConditionConfiguration(ConfigurationFile(path: file.path, members: members))
  }

  /// Pixels of the control picture per pixel of the sample and side.
  public var factor: Int { 1 << (embeddingChannels.count - 1) }
}
