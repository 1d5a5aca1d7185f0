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
}
