/// Configuration of ``PromptTransformer``, as in its `config.json`.
public struct PromptTransformerConfiguration: Codable, Sendable, Hashable {
  /// Channels C of a sample: 1…4096, in JSON `in_channels`.
  public var inChannels: Int
  /// Side of the square samples it was trained on.
  public var sampleSize: Int
  /// Side of a patch, which becomes one token: 1…1024 and a divisor of `sampleSize`, in JSON `patch_size`.
  public var patchSize: Int
  /// Channels of a token: a multiple of `heads` and of 4, at most 65536, in JSON `hidden_size`.
  public var hiddenSize: Int
  /// Number of blocks: 1…1000, in JSON `num_layers`.
  public var layers: Int
  /// Heads of self- and cross-attention: 1…1024, in JSON `num_attention_heads`.
  public var heads: Int
  /// Width of the feed-forward layers relative to `hiddenSize`.
  public var feedForwardRatio: Int
  /// Channels of the encoded prompt and of its pooled form.
  public var crossAttentionSize: Int
  /// Channels per pixel that the tokens are turned into before two 3×3 convolutions make the output; absent: tokens give the output
  /// directly, as in DiT. The convolutions see across patches, so that their seams close.
  public var headChannels: Int?
  /// Channels per patch of the prompt's sketch that the network sees beside the sample (see ``PromptSketch``); absent: none.
  public var sketchChannels: Int?

  enum CodingKeys: String, CodingKey {
    case inChannels = "in_channels"
    case sampleSize = "sample_size"
    case patchSize = "patch_size"
    case hiddenSize = "hidden_size"
    case layers = "num_layers"
    case heads = "num_attention_heads"
    case feedForwardRatio = "mlp_ratio"
    case crossAttentionSize = "cross_attention_dim"
    case headChannels = "head_channels"
    case sketchChannels = "sketch_channels"
  }

  /// The numbers are checked when a ``PromptTransformer`` is made from them.
  public init(
    inChannels: Int = 3, sampleSize: Int = 64, patchSize: Int = 8, hiddenSize: Int, layers: Int, heads: Int, feedForwardRatio: Int = 4,
    crossAttentionSize: Int, headChannels: Int? = nil, sketchChannels: Int? = nil
  ) {
    self.inChannels = inChannels
    self.sampleSize = sampleSize
    self.patchSize = patchSize
    self.hiddenSize = hiddenSize
    self.layers = layers
    self.heads = heads
    self.feedForwardRatio = feedForwardRatio
    self.crossAttentionSize = crossAttentionSize
    self.headChannels = headChannels
    self.sketchChannels = sketchChannels
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    ConfigurationCheck.problem([
      ("in_channels", inChannels, 1...4096), ("sample_size", sampleSize, 1...16384), ("patch_size", patchSize, 1...1024),
      ("hidden_size", hiddenSize, 4...65536), ("num_layers", layers, 1...1000), ("num_attention_heads", heads, 1...1024),
      ("mlp_ratio", feedForwardRatio, 1...64), ("cross_attention_dim", crossAttentionSize, 1...65536),
      ("head_channels", headChannels ?? 1, 1...1024), ("sketch_channels", sketchChannels ?? 1, 1...4096),
    ]) ?? ConfigurationCheck.multiple("hidden_size", hiddenSize, of: "num_attention_heads", heads)
      ?? ConfigurationCheck.multiple("sample_size", sampleSize, of: "patch_size", patchSize)
      ?? (hiddenSize % 4 == 0 ? nil : "'hidden_size' is \(hiddenSize), which is no multiple of 4")
  }
}
