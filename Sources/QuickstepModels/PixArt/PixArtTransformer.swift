public import QuickstepNN
public import QuickstepTensor

/// The transformer of PixArt-α and PixArt-Σ (Chen et al. 2023, arXiv 2310.00426; 2024, arXiv 2403.04692); diffusers'
/// `PixArtTransformer2DModel`, with its names of parameters. `[B, C, H, W] → [B, C', H, W]`, timesteps 0…999.
public struct PixArtTransformer: Backbone {
  /// The arguments of diffusers' class; `resolution` and `aspect_ratio` are its `added_cond_kwargs`.
  public static let inputs = [
    "hidden_states", "timestep", "encoder_hidden_states", "encoder_attention_mask?", "resolution?", "aspect_ratio?",
  ]
  /// As given to the initialiser.
  public let configuration: PixArtConfiguration
  let patches: Convolution
  let modulation: SharedModulation
  let captions: CaptionProjection?
  let blocks: [PixArtBlock]
  let outputNorm: LayerNorm
  /// `[2, C]`: shift and scale before the output.
  let outputTable: Tensor
  let output: Linear

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: PixArtConfiguration, weights: Weights) {
    self.configuration = configuration
    let (size, patch) = (configuration.hiddenSize, configuration.patchSize)
    patches = Convolution(weights["pos_embed", "proj"], configuration.inChannels, size, kernel: patch, stride: patch, padding: 0)
    modulation = SharedModulation(weights["adaln_single"], size: size, hasSizes: configuration.hasSizes)
    captions = configuration.promptSize.map { CaptionProjection(weights["caption_projection"], $0, size: size) }
    blocks = (0..<configuration.layers).map { PixArtBlock(configuration, weights: weights["transformer_blocks", $0]) }
    outputNorm = LayerNorm(weights["norm_out"], size, affine: false)
    outputTable = weights.parameter("scale_shift_table", [2, size], initial: .normal(0.02))
    output = Linear(weights["proj_out"], size, patch * patch * configuration.outChannels)
  }

  /// `[in_channels, sample_size, sample_size]`. Other sizes work as well: positions are stretched to them.
  public var sampleShape: [Int] { [configuration.inChannels, configuration.sampleSize, configuration.sampleSize] }
  /// The blocks and, in each, both attentions and the feed-forward layers.
  public var sites: [Site] {
    Site.blocks([
      (
        BlockRun("transformer_blocks", count: blocks.count), [("attn1", .attention), ("attn2", .crossAttention), ("ff", .feedForward)]
      )
    ])
  }
  /// Only attention reads the prompt.
  public var ignoresHiddenPlaces: Bool { true }
  /// The side of a patch.
  public var sizeMultiple: Int { configuration.patchSize }

  /// Needs `sequence`, takes `mask`; needs `resolution` and `aspectRatio` where the model knows them. Sites are the blocks and, in each,
  /// `attn1`, `attn2` and `ff`.
  /// - Throws: ``ComponentError`` without a condition and for a sample that does not fit; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let sequence = conditioning.sequence else { throw ComponentError("PixArtTransformer2DModel needs 'encoder_hidden_states'") }
    let (rows, columns) = try Patches.grid(sample, channels: configuration.inChannels, patch: configuration.patchSize)
    let positions = StretchedPositions.make(
      rows: rows, columns: columns, size: configuration.hiddenSize, base: configuration.sampleSize / configuration.patchSize,
      scale: configuration.positionScale, like: sample)
    let tokens = patches(sample).flatten(startDim: 2).transposed + positions
    let (parts, embedding) = try modulation(timestep, conditioning, dtype: sample.dtype)
    let context = captions.map { $0(sequence) } ?? sequence
    let mask = HeadAttention.bias(conditioning.mask, dtype: sample.dtype)
    let hidden = try evaluation.sequence(
      "transformer_blocks", count: blocks.count, tokens, modulated: { blocks[0].modulated($0, modulation: parts) },
      guest: { block, tokens in
        try block.made(as: PixArtBlock.self)(
          tokens, modulation: parts, context: context, mask: mask, path: "guest", depth: 0, evaluation: evaluation.unwatched)
      }
    ) { index, tokens in
      try blocks[index](
        tokens, modulation: parts, context: context, mask: mask, path: "transformer_blocks.\(index)", depth: index, evaluation: evaluation)
    }
    let last = (outputTable + embedding.unsqueeze(1)).chunk(2, dim: 1)
    return Patches.joined(
      output(modulate(outputNorm(hidden), shift: last[0], scale: last[1])), rows: rows, columns: columns, patch: configuration.patchSize)
  }

  /// All but self-attention treat every token by itself.
  public var tokenTraits: TokenTraits? {
    TokenTraits(separable: [.crossAttention, .feedForward], signals: Set(AttentionSignal.allCases), patch: configuration.patchSize)
  }

  /// Any index gives the same: all blocks are built alike.
  public func guestBlock(like index: Int, weights: Weights) throws -> (any GuestBlock)? {
    blocks.indices.contains(index) ? PixArtBlock(configuration, weights: weights) : nil
  }
}

/// Self-attention, attention to the prompt and feed-forward layers under adaLN-single. The attention to the prompt takes the tokens as they
/// are. `[B, N, C] → [B, N, C]`.
struct PixArtBlock: GuestBlock {
  /// `[6, C]`, added to the modulation of all blocks.
  let table: Tensor
  let norm: LayerNorm
  let attention: Attention
  let crossAttention: Attention
  let feedForward: PlainFeedForward

  init(_ configuration: PixArtConfiguration, weights: Weights) {
    let (size, bias) = (configuration.hiddenSize, configuration.hasAttentionBias)
    table = weights.parameter("scale_shift_table", [6, size], initial: .normal(0.02))
    norm = LayerNorm(weights["norm1"], size, epsilon: configuration.epsilon, affine: false)
    attention = Attention(weights["attn1"], size: size, heads: configuration.heads, bias: bias)
    crossAttention = Attention(
      weights["attn2"], size: size, contextSize: configuration.contextSize, heads: configuration.heads, bias: bias)
    feedForward = PlainFeedForward(weights["ff"], size: size)
  }

  private func parts(_ modulation: Tensor) -> [Tensor] { (table + modulation).chunk(6, dim: 1) }

  /// What the attention takes.
  func modulated(_ input: Tensor, modulation: Tensor) -> Tensor {
    let parts = parts(modulation)
    return modulate(norm(input), shift: parts[0], scale: parts[1])
  }

  /// - Parameters:
  ///   - modulation: `[B, 6, C]`.
  ///   - mask: `[B, 1, 1, L]`, added to the scores.
  func callAsFunction(
    _ input: Tensor, modulation: Tensor, context: Tensor, mask: Tensor?, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Tensor {
    let parts = parts(modulation)
    let attended = try evaluation.attention(Site("\(path).attn1", .attention, depth: depth), input) {
      attention(modulate(norm($0), shift: parts[0], scale: parts[1]), probe: $1)
    }
    var hidden = input.addcmul(parts[2], tensor2: attended)
    hidden += try evaluation.attention(Site("\(path).attn2", .crossAttention, depth: depth), hidden) {
      crossAttention($0, context: context, mask: mask, probe: $1)
    }
    let fed = try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), hidden) {
      feedForward(modulate(norm($0), shift: parts[3], scale: parts[4]))
    }
    return hidden.addcmul(parts[5], tensor2: fed)
  }
}
