public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats

/// Configuration of ``UNet2D``, read from diffusers' `config.json`. Keys are those of `UNet2DModel`.
public struct UNet2DConfiguration: Sendable, Hashable {
  /// Channels of a sample, in and out.
  public var inChannels: Int, outChannels: Int
  /// Side of the samples it was trained on, where the file says so.
  public var sampleSize: Int?
  /// Channels of each level, outermost first, and residual blocks on the way down.
  public var blockChannels: [Int], layersPerBlock: Int
  /// Which levels attend on the way down, and on the way up (outermost first as well); whether the middle does.
  public var downAttends: [Bool], upAttends: [Bool], middleAttends: Bool
  /// Channels of an attention head; `nil`: one head.
  public var headSize: Int?
  /// Of every normalisation.
  public var groups: Int, epsilon: Double
  /// Order and shift of the time's sines and cosines.
  public var cosinesFirst: Bool, frequencyShift: Double
  /// Channels of the embedded time.
  public var timeSize: Int
  /// Number of classes; `nil` for unconditional models.
  public var classCount: Int?
  /// Zeros only right and below where sides are halved (`downsample_padding` 0).
  public var padsEnd: Bool
  /// Inputs −1…1 are expected as 0…1 by some.
  public var centersInput: Bool
  /// Divisor after the middle block.
  public var middleScale: Double

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 3)
    outChannels = try reader.integer("out_channels", 3)
    sampleSize = try reader.optionalInteger("sample_size")
    let (down, up) = ("AttnDownBlock2D", "AttnUpBlock2D")
    let downTypes = try reader.texts("down_block_types", ["DownBlock2D", down, down, down], of: ["DownBlock2D", down])
    let upTypes = try reader.texts("up_block_types", [up, up, up, "UpBlock2D"], of: ["UpBlock2D", up])
    blockChannels = try reader.integers("block_out_channels", [224, 448, 672, 896], atMost: SettingsReader.mostHalvings)
    layersPerBlock = try reader.integer("layers_per_block", 2, in: 1...64)
    downAttends = downTypes.map { $0 == down }
    upAttends = upTypes.reversed().map { $0 == up }
    middleAttends = try reader.flag("add_attention", true)
    headSize = file.members["attention_head_dim"] == .null ? nil : try reader.integer("attention_head_dim", 8)
    groups = try reader.integer("norm_num_groups", 32)
    epsilon = try reader.number("norm_eps", 1e-5)
    cosinesFirst = try reader.flag("flip_sin_to_cos", true)
    frequencyShift = try reader.number("freq_shift", 0)
    timeSize = try reader.integer("time_embedding_dim", blockChannels[0] * 4)
    classCount = try reader.optionalInteger("num_class_embeds", in: 1...1_000_000)
    padsEnd = try reader.integer("downsample_padding", 1, in: 0...1) == 0
    centersInput = try reader.flag("center_input_sample", false)
    middleScale = try reader.number("mid_block_scale_factor", 1)
    // Null says that nothing stands in the middle, where an absent key says that something does.
    try reader.require(
      file.members["mid_block_type"] != .null, "'mid_block_type' is null, which is not supported; supported: \"UNetMidBlock2D\"")
    try reader.fixed("mid_block_type", .string("UNetMidBlock2D"))
    try reader.fixed("time_embedding_type", .string("positional"))
    try reader.fixed("downsample_type", .string("conv"))
    try reader.fixed("upsample_type", .string("conv"))
    try reader.fixed("resnet_time_scale_shift", .string("default"))
    try reader.fixed("act_fn", .string("silu"), .string("swish"))
    try reader.fixed("attn_norm_num_groups", .integer(groups))
    try reader.fixed("class_embed_type", .null)
    reader.ignore("dropout", "num_train_timesteps")
    try reader.finish()
    let count = blockChannels.count
    try reader.require(
      downTypes.count == count && upTypes.count == count,
      "'block_out_channels' has \(count) levels, 'down_block_types' \(downTypes.count), 'up_block_types' \(upTypes.count)")
    try reader.require(
      blockChannels.allSatisfy { $0 % groups == 0 && $0 % (headSize ?? 1) == 0 },
      "'block_out_channels' \(blockChannels) must be multiples of 'norm_num_groups' \(groups) and of 'attention_head_dim' \(headSize ?? 1)")
  }

  /// The network without what surrounds its levels.
  var shape: UNet2DShape {
    func attention(_ channels: Int) -> UNet2DAttention { .pixels(heads: headSize.map { channels / $0 } ?? 1) }
    func attentions(_ attends: [Bool]) -> [UNet2DAttention?] { zip(attends, blockChannels).map { $0.0 ? attention($0.1) : nil } }
    let last = blockChannels[blockChannels.count - 1]
    return UNet2DShape(
      channels: blockChannels, layers: Array(repeating: layersPerBlock, count: blockChannels.count), down: attentions(downAttends),
      up: attentions(upAttends), middleBlocks: 2, middle: middleAttends ? attention(last) : nil,
      groups: groups, epsilon: epsilon, middleScale: middleScale, padsEnd: padsEnd)
  }
}

/// The U-Net of DDPM and of unconditional and class-conditional latent diffusion (Ho et al. 2020, arXiv 2006.11239); diffusers' `UNet2DModel`,
/// with its names of parameters. `[B, C, H, W] → [B, C', H, W]`.
public struct UNet2D: Backbone {
  /// The arguments of diffusers' class.
  public static let inputs = ["sample", "timestep", "class_labels?"]
  /// As given to the initialiser.
  public let configuration: UNet2DConfiguration
  let timeFeatures: SinusoidalFeatures
  let timeEmbedding: SignalEmbedding
  let classEmbedding: Embedding?
  let body: UNet2DBody
  let outputNorm: GroupNorm
  let output: Convolution

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: UNet2DConfiguration, weights: Weights) {
    self.configuration = configuration
    let (channels, size) = (configuration.blockChannels[0], configuration.timeSize)
    timeFeatures = SinusoidalFeatures(size: channels, cosinesFirst: configuration.cosinesFirst, shift: configuration.frequencyShift)
    timeEmbedding = SignalEmbedding(weights["time_embedding"], channels, size)
    classEmbedding = configuration.classCount.map { Embedding(weights["class_embedding"], count: $0, size: size) }
    let input = Convolution(weights["conv_in"], configuration.inChannels, channels, kernel: 3)
    body = UNet2DBody(configuration.shape, input: input, signal: size, weights: weights)
    outputNorm = GroupNorm(weights["conv_norm_out"], groups: configuration.groups, channels: channels, epsilon: configuration.epsilon)
    output = Convolution(weights["conv_out"], channels, configuration.outChannels, kernel: 3)
  }

  /// `[in_channels, sample_size, sample_size]`, with 32 where the configuration says no size. Other sizes work as well.
  public var sampleShape: [Int] { [configuration.inChannels, configuration.sampleSize ?? 32, configuration.sampleSize ?? 32] }
  /// The steps down and up, the middle, everything deeper than a skip connection; residual blocks and attentions.
  public var sites: [Site] { body.sites }
  /// Two for every level below the outermost.
  public var sizeMultiple: Int { 1 << (configuration.blockChannels.count - 1) }

  /// Needs `classes` where the model is conditioned on them. Sites are those of ``sites``.
  /// - Throws: ``ComponentError`` without the condition; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    var signal = timeEmbedding(timeFeatures(timestep).to(sample.dtype))
    if let classEmbedding {
      guard let classes = conditioning.classes else { throw ComponentError("this UNet2DModel needs 'class_labels'") }
      signal += classEmbedding(classes.to(.int64))
    }
    let state = UNet2DState(signal: signal.silu(), context: nil, mask: nil, residuals: nil, evaluation: evaluation)
    let hidden = try body(configuration.centersInput ? sample * 2 - 1 : sample, state)
    return output(outputNorm(hidden, activation: .silu))
  }
}
