/// Configuration of ``PromptTransformer``, as in its `config.json`.
public struct PromptTransformerConfiguration: Codable, Sendable, Hashable {
  public var inChannels: Int
  /// Side of the square samples it was trained on.
  public var sampleSize: Int
  public var patchSize: Int
  public var hiddenSize: Int
  public var layers: Int
  public var heads: Int
  /// Width of the feed-forward layers relative to `hiddenSize`.
  public var feedForwardRatio: Int
  /// Channels of the encoded prompt and of its pooled form.
  public var crossAttentionSize: Int

  enum CodingKeys: String, CodingKey {
    case inChannels = "in_channels"
    case sampleSize = "sample_size"
    case patchSize = "patch_size"
    case hiddenSize = "hidden_size"
    case layers = "num_layers"
    case heads = "num_attention_heads"
    case feedForwardRatio = "mlp_ratio"
    case crossAttentionSize = "cross_attention_dim"
  }

  public init(
    inChannels: Int = 3, sampleSize: Int = 64, patchSize: Int = 8, hiddenSize: Int, layers: Int, heads: Int, feedForwardRatio: Int = 4,
    crossAttentionSize: Int
  ) {
    self.inChannels = inChannels
    self.sampleSize = sampleSize
    self.patchSize = patchSize
    self.hiddenSize = hiddenSize
    self.layers = layers
    self.heads = heads
    self.feedForwardRatio = feedForwardRatio
    self.crossAttentionSize = crossAttentionSize
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    ConfigurationCheck.problem([
      ("in_channels", inChannels, 1...4096), ("sample_size", sampleSize, 1...16384), ("patch_size", patchSize, 1...1024),
      ("hidden_size", hiddenSize, 4...65536), ("num_layers", layers, 1...1000), ("num_attention_heads", heads, 1...1024),
      ("mlp_ratio", feedForwardRatio, 1...64), ("cross_attention_dim", crossAttentionSize, 1...65536),
    ]) ?? ConfigurationCheck.multiple("hidden_size", hiddenSize, of: "num_attention_heads", heads)
      ?? ConfigurationCheck.multiple("sample_size", sampleSize, of: "patch_size", patchSize)
      ?? (hiddenSize % 4 == 0 ? nil : "'hidden_size' is \(hiddenSize), which is no multiple of 4")
  }
}
