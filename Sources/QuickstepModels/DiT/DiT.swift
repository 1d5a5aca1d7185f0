public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats

/// Configuration of ``DiT``, read from diffusers' `config.json`. Keys are those of `DiTTransformer2DModel`.
public struct DiTConfiguration: Sendable, Hashable {
  /// Channels of a sample; twice as many come out of models that predict a variance as well.
  public var inChannels: Int, outChannels: Int
  /// Side of the square samples it was trained on, and of a patch.
  public var sampleSize: Int, patchSize: Int
  /// Blocks, attention heads, and channels of a head.
  public var layers: Int, heads: Int, headSize: Int
  /// Number of classes; the label after the last stands for "no class".
  public var classCount: Int
  /// Whether queries, keys and values have a bias.
  public var hasAttentionBias: Bool
  /// Of the normalisation before the feed-forward layers.
  public var epsilon: Double

  /// Channels of a token.
  public var hiddenSize: Int { heads * headSize }

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 4)
    outChannels = try reader.integer("out_channels", inChannels)
    sampleSize = try reader.integer("sample_size", 32, in: 1...4096)
    patchSize = try reader.integer("patch_size", 2, in: 1...1024)
    layers = try reader.integer("num_layers", 28, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 16, in: 1...1024)
    headSize = try reader.integer("attention_head_dim", 72, in: 1...4096)
    classCount = try reader.integer("num_embeds_ada_norm", 1000, in: 1...1_000_000)
    hasAttentionBias = try reader.flag("attention_bias", true)
    epsilon = try reader.number("norm_eps", 1e-5)
    try reader.fixed("norm_type", .string("ada_norm_zero"))
    try reader.fixed("activation_fn", .string("gelu-approximate"))
    try reader.fixed("norm_elementwise_affine", .bool(false))
    try FormerTransformer.checkSettings(reader)
    try reader.finish()
    try reader.require(sampleSize % patchSize == 0, "'sample_size' is \(sampleSize), no multiple of 'patch_size' (\(patchSize))")
    try reader.require(
      hiddenSize % 4 == 0 && hiddenSize <= 65536, "heads × 'attention_head_dim' is \(hiddenSize); it must be a multiple of 4")
  }
}

/// The class-conditional diffusion transformer (Peebles & Xie 2023, arXiv 2212.09748); diffusers' `DiTTransformer2DModel`, with its names of
/// parameters. `[B, C, H, W] → [B, C', H, W]`.
public struct DiT: Backbone {
  /// The arguments of diffusers' class.
  public static let inputs = ["hidden_states", "timestep", "class_labels"]
  /// As given to the initialiser.
  public let configuration: DiTConfiguration
  let patches: Convolution
  let blocks: [DiTBlock]
  let outputNorm: LayerNorm
  let outputModulation: Linear
  let output: Linear

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: DiTConfiguration, weights: Weights) {
    self.configuration = configuration
    let (size, patch) = (configuration.hiddenSize, configuration.patchSize)
    patches = Convolution(weights["pos_embed", "proj"], configuration.inChannels, size, kernel: patch, stride: patch, padding: 0)
    blocks = (0..<configuration.layers).map { DiTBlock(configuration, weights: weights["transformer_blocks", $0]) }
    outputNorm = LayerNorm(weights["norm_out"], size, affine: false)
    outputModulation = Linear(weights["proj_out_1"], size, 2 * size)
    output = Linear(weights["proj_out_2"], size, patch * patch * configuration.outChannels)
  }

  /// `[in_channels, sample_size, sample_size]`. Other sizes work as well: positions are stretched to them.
  public var sampleShape: [Int] { [configuration.inChannels, configuration.sampleSize, configuration.sampleSize] }
  /// The blocks and, in each, attention and feed-forward layers.
  public var sites: [Site] {
    Site.blocks([(BlockRun("transformer_blocks", count: blocks.count), [("attn1", .attention), ("ff", .feedForward)])])
  }
  /// Feed-forward layers treat every token by itself.
  public var tokenTraits: TokenTraits? {
    TokenTraits(separable: [.feedForward], signals: [.received, .values], patch: configuration.patchSize)
  }
  /// The side of a patch.
  public var sizeMultiple: Int { configuration.patchSize }

  /// Needs `classes`. Sites are the blocks and, in each, `attn1` and `ff`.
  /// - Throws: ``ComponentError`` without classes; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let classes = conditioning.classes else { throw ComponentError("DiTTransformer2DModel needs 'class_labels'") }
    let (rows, columns) = try Patches.grid(sample, channels: configuration.inChannels, patch: configuration.patchSize)
    let positions = StretchedPositions.make(
      rows: rows, columns: columns, size: configuration.hiddenSize, base: configuration.sampleSize / configuration.patchSize,
      like: sample)
    let tokens = patches(sample).flatten(startDim: 2).transposed + positions
    let labels = classes.to(.int64)
    let hidden = try evaluation.sequence(
      "transformer_blocks", count: blocks.count, tokens, modulated: { blocks[0].modulated($0, timestep, labels) },
      guest: { block, tokens in
        try block.made(as: DiTBlock.self)(
          tokens, timestep: timestep, classes: labels, path: "guest", depth: 0, evaluation: evaluation.unwatched)
      }
    ) { index, tokens in
      try blocks[index](
        tokens, timestep: timestep, classes: labels, path: "transformer_blocks.\(index)", depth: index, evaluation: evaluation)
    }
    // The reference takes the first block's embedding for the output as well.
    let modulation = outputModulation(blocks[0].embedding(timestep, labels, dtype: sample.dtype).silu()).unsqueeze(1).chunk(2, dim: -1)
    let folded = output(modulate(outputNorm(hidden), shift: modulation[0], scale: modulation[1]))
    return Patches.joined(folded, rows: rows, columns: columns, patch: configuration.patchSize)
  }

  /// Any index gives the same: all blocks are built alike.
  public func guestBlock(like index: Int, weights: Weights) throws -> (any GuestBlock)? {
    blocks.indices.contains(index) ? DiTBlock(configuration, weights: weights) : nil
  }
}

/// Self-attention and feed-forward under adaLN-Zero, with an embedding of time and class of the block's own. `[B, N, C] → [B, N, C]`.
struct DiTBlock: GuestBlock {
  let embedding: TimeClassEmbedding
  let modulation: Linear
  let norm1: LayerNorm
  let attention: Attention
  let norm2: LayerNorm
  let feedForward: PlainFeedForward

  init(_ configuration: DiTConfiguration, weights: Weights) {
    let size = configuration.hiddenSize
    embedding = TimeClassEmbedding(weights["norm1", "emb"], classes: configuration.classCount, size: size)
    modulation = Linear(weights["norm1", "linear"], size, 6 * size)
    norm1 = LayerNorm(weights["norm1"], size, affine: false)
    attention = Attention(weights["attn1"], size: size, heads: configuration.heads, bias: configuration.hasAttentionBias)
    norm2 = LayerNorm(weights["norm3"], size, epsilon: configuration.epsilon, affine: false)
    feedForward = PlainFeedForward(weights["ff"], size: size)
  }

  private func parts(_ timestep: Tensor, _ classes: Tensor, dtype: DType) -> [Tensor] {
    modulation(embedding(timestep, classes, dtype: dtype).silu()).unsqueeze(1).chunk(6, dim: -1)
  }

  /// What the attention takes.
  func modulated(_ input: Tensor, _ timestep: Tensor, _ classes: Tensor) -> Tensor {
    let parts = parts(timestep, classes, dtype: input.dtype)
    return modulate(norm1(input), shift: parts[0], scale: parts[1])
  }

  func callAsFunction(
    _ input: Tensor, timestep: Tensor, classes: Tensor, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Tensor {
    let parts = parts(timestep, classes, dtype: input.dtype)
    let attended = try evaluation.attention(Site("\(path).attn1", .attention, depth: depth), input) {
      attention(modulate(norm1($0), shift: parts[0], scale: parts[1]), probe: $1)
    }
    let hidden = input.addcmul(parts[2], tensor2: attended)
    let fed = try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), hidden) {
      feedForward(modulate(norm2($0), shift: parts[3], scale: parts[4]))
    }
    return hidden.addcmul(parts[5], tensor2: fed)
  }
}

/// Time and class as one vector; diffusers' `CombinedTimestepLabelEmbeddings`. `[B] and [B] → [B, size]`.
struct TimeClassEmbedding: Sendable {
  let features: SinusoidalFeatures
  let time: SignalEmbedding
  let table: Embedding

  init(_ weights: Weights, classes: Int, size: Int) {
    features = SinusoidalFeatures(size: 256, cosinesFirst: true, shift: 1)
    time = SignalEmbedding(weights["timestep_embedder"], 256, size)
    table = Embedding(weights["class_embedder", "embedding_table"], count: classes + 1, size: size)
  }

  func callAsFunction(_ timestep: Tensor, _ classes: Tensor, dtype: DType) -> Tensor {
    time(features(timestep).to(dtype)) + table(classes)
  }
}
