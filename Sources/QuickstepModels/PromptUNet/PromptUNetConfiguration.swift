/// Configuration of ``PromptUNet``, as in its `config.json`.
public struct PromptUNetConfiguration: Codable, Sendable, Hashable {
  /// Channels C of a sample: 1…4096, in JSON `in_channels`.
  public var inChannels: Int
  /// Side of the square samples it was trained on.
  public var sampleSize: Int
  /// The sample is folded into patches of this side before the first convolution (1: none).
  public var patchSize: Int
  /// Channels of each level, outermost first; each level has half the side of the one before.
  public var blockChannels: [Int]
  /// Residual blocks on the way down at each level; on the way up there is one more.
  public var layersPerBlock: Int
  /// Which levels attend (to themselves and, with text, to the prompt).
  public var attentionLevels: [Bool]
  /// Heads of every attention: 1…1024 and a divisor of each of `blockChannels`, in JSON `num_attention_heads`.
  public var heads: Int
  /// Channels of the encoded prompt and of its pooled form; absent for class-conditional models.
  public var crossAttentionSize: Int?
  /// Number of classes; one more embedding stands for "no class". Absent for text models.
  public var classCount: Int?
  /// Channels per patch of the prompt's sketch that the network sees beside the sample (see ``PromptSketch``); absent: none.
  public var sketchChannels: Int?
  /// Side of the sketch's patches: a divisor of `sampleSize`; absent: 8.
  public var sketchPatchSize: Int?

  enum CodingKeys: String, CodingKey {
    case inChannels = "in_channels"
    case sampleSize = "sample_size"
    case patchSize = "patch_size"
    case blockChannels = "block_out_channels"
    case layersPerBlock = "layers_per_block"
    case attentionLevels = "attention_levels"
    case heads = "num_attention_heads"
    case crossAttentionSize = "cross_attention_dim"
    case classCount = "num_class_embeds"
    case sketchChannels = "sketch_channels"
    case sketchPatchSize = "sketch_patch_size"
  }

  /// Exactly one of `crossAttentionSize` and `classCount` must be given. The numbers are checked when a ``PromptUNet`` is made from them.
  public init(
    inChannels: Int = 3, sampleSize: Int, patchSize: Int, blockChannels: [Int], layersPerBlock: Int, attentionLevels: [Bool], heads: Int,
    crossAttentionSize: Int? = nil, classCount: Int? = nil, sketchChannels: Int? = nil, sketchPatchSize: Int? = nil
  ) {
    self.inChannels = inChannels
    self.sampleSize = sampleSize
    self.patchSize = patchSize
    self.blockChannels = blockChannels
    self.layersPerBlock = layersPerBlock
    self.attentionLevels = attentionLevels
    self.heads = heads
    self.crossAttentionSize = crossAttentionSize
    self.classCount = classCount
    self.sketchChannels = sketchChannels
    self.sketchPatchSize = sketchPatchSize
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    let numbers =
      [
        ("in_channels", inChannels, 1...4096), ("sample_size", sampleSize, 1...16384), ("patch_size", patchSize, 1...1024),
        ("layers_per_block", layersPerBlock, 1...64), ("num_attention_heads", heads, 1...1024), ("levels", blockChannels.count, 1...12),
        ("cross_attention_dim", crossAttentionSize ?? 1, 1...65536), ("num_class_embeds", classCount ?? 1, 1...1_000_000),
      ] + blockChannels.map { ("block_out_channels", $0, 8...65536) }
    if let problem = ConfigurationCheck.problem(numbers) { return problem }
    if attentionLevels.count != blockChannels.count {
      return "attention_levels needs \(blockChannels.count) entries, it has \(attentionLevels.count)"
    }
    if let odd = blockChannels.first(where: { $0 <= 0 || $0 % heads != 0 || $0 % 8 != 0 }) {
      return "block_out_channels holds \(odd), which is no multiple of 8 and of num_attention_heads"
    }
    if (crossAttentionSize == nil) == (classCount == nil) { return "exactly one of cross_attention_dim and num_class_embeds must be set" }
    if sketchPatchSize != nil, sketchChannels == nil { return "sketch_patch_size has no effect without sketch_channels" }
    if sketchChannels != nil, crossAttentionSize == nil { return "sketch_channels needs a prompt, that is cross_attention_dim" }
    return nil
  }

  /// The sketch's own configuration, where there is one.
  var sketch: PromptSketchConfiguration? {
    guard let sketchChannels, let crossAttentionSize else { return nil }
    return PromptSketchConfiguration(
      inChannels: inChannels, sampleSize: sampleSize, patchSize: sketchPatchSize ?? 8, channels: sketchChannels,
      crossAttentionSize: crossAttentionSize)
  }
}
