public import QuickstepNN
public import QuickstepTensor

/// A diffusion transformer (Peebles & Xie 2023, arXiv 2212.09748) with text cross-attention, on patches of the sample.
///
/// Patches become tokens with fixed two-dimensional positions. Timestep and pooled prompt modulate every block (adaLN-Zero), the prompt's
/// tokens are attended to by cross-attention. `[B, C, H, W] → [B, C, H, W]`.
public struct PromptTransformer: Backbone {
  /// As given to the initialiser.
  public let configuration: PromptTransformerConfiguration
  let sketch: PromptSketch?
  let patchEmbedding: Linear
  let timeEmbedding: TimestepEmbedding
  let pooledProjection: Linear
  let blocks: [PromptTransformerBlock]
  let outputModulation: Linear
  let outputNorm: LayerNorm
  let output: Linear
  let head: PatchSeamHead?
  let positions: Tensor

  /// - Throws: `ComponentError` when the configuration's numbers make no network.
  public init(_ configuration: PromptTransformerConfiguration, weights: Weights) throws {
    if let problem = configuration.problem { throw ComponentError("PromptTransformer2D: \(problem)") }
    self.configuration = configuration
    let size = configuration.hiddenSize
    let patch = configuration.inChannels * configuration.patchSize * configuration.patchSize
    sketch = try configuration.sketchChannels.map {
      try PromptSketch(
        PromptSketchConfiguration(
          inChannels: configuration.inChannels, sampleSize: configuration.sampleSize, patchSize: configuration.patchSize, channels: $0,
          crossAttentionSize: configuration.crossAttentionSize), weights: weights["sketch"])
    }
    patchEmbedding = Linear(weights["patch_embed"], sketch == nil ? patch : 2 * patch, size)
    timeEmbedding = TimestepEmbedding(weights["time_embed"], size: size)
    pooledProjection = Linear(weights["pooled_proj"], configuration.crossAttentionSize, size)
    blocks = (0..<configuration.layers).map { PromptTransformerBlock(configuration, weights: weights["blocks", $0]) }
    outputModulation = Linear(weights["norm_out", "linear"], size, 2 * size, initial: .zeros)
    outputNorm = LayerNorm(weights["norm_out"], size, affine: false)
    if let channels = configuration.headChannels {
      output = Linear(weights["proj_out"], size, channels * configuration.patchSize * configuration.patchSize)
      head = PatchSeamHead(weights["head"], channels: channels, output: configuration.inChannels)
    } else {
      output = Linear(weights["proj_out"], size, patch, initial: .zeros)
      head = nil
    }
    let side = configuration.sampleSize / max(1, configuration.patchSize)
    positions = GridPositions.make(rows: side, columns: side, size: size)
  }

  /// `[in_channels, sample_size, sample_size]`. Other sizes work as well: positions are made for the sample's own grid of patches.
  public var sampleShape: [Int] { [configuration.inChannels, configuration.sampleSize, configuration.sampleSize] }
  /// The blocks and, in each, both attentions and the feed-forward layers.
  public var sites: [Site] {
    Site.blocks([
      (BlockRun("blocks", count: blocks.count), [("attn1", .attention), ("attn2", .crossAttention), ("ff", .feedForward)])
    ])
  }
  /// All but self-attention treat every token by itself.
  public var tokenTraits: TokenTraits? {
    TokenTraits(separable: [.crossAttention, .feedForward], signals: Set(AttentionSignal.allCases), patch: configuration.patchSize)
  }
  /// With the prompt's sketch and the projection of its summary.
  public func prepared(_ conditioning: Conditioning, sampleSide: (height: Int, width: Int)) -> Conditioning {
    PromptSketch.prepared(conditioning, sketch, pooledProjection, sampleSide: sampleSide)
  }
  /// The side of a patch.
  public var sizeMultiple: Int { configuration.patchSize }

  /// Needs `sequence` and `pooled`; classes are not read. Sites are the blocks and, in each, `attn1`, `attn2` and `ff`.
  /// - Throws: ``ComponentError`` without an encoded prompt; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let sequence = conditioning.sequence, let pooled = conditioning.pooled else {
      throw ComponentError("PromptTransformer2D needs 'encoder_hidden_states' and 'pooled_projections'")
    }
    let patch = configuration.patchSize
    let rows = sample.size(2) / patch
    let columns = sample.size(3) / patch
    let told = conditioning.prepared[PromptSketch.preparedPooled] ?? pooledProjection(pooled)
    let signal = (timeEmbedding(timestep, dtype: sample.dtype) + told).silu()
    let mask = conditioning.mask?.unsqueeze(1).unsqueeze(1)
    let input = PromptSketch.beside(sample, sketch, conditioning)
    let tokens = patchEmbedding(input.pixelUnshuffle(patch).flatten(startDim: 2).transposed) + positions(rows, columns, like: sample)
    let hidden = try evaluation.sequence(
      "blocks", count: blocks.count, tokens, modulated: { blocks[0].modulated($0, signal: signal) },
      guest: { block, tokens in
        try block.made(as: PromptTransformerBlock.self)(
          tokens, signal: signal, context: sequence, mask: mask, path: "guest", depth: 0, evaluation: evaluation.unwatched)
      }
    ) { index, tokens in
      try blocks[index](
        tokens, signal: signal, context: sequence, mask: mask, path: "blocks.\(index)", depth: index, evaluation: evaluation)
    }
    let modulation = outputModulation(signal).unsqueeze(1).chunk(2, dim: -1)
    let patches = output(modulate(outputNorm(hidden), shift: modulation[0], scale: modulation[1]))
    let pixels = patches.transposed.reshape([sample.size(0), -1, rows, columns]).pixelShuffle(patch)
    return head.map { $0(pixels) } ?? pixels
  }

  /// Any index gives the same: all blocks are built alike.
  public func guestBlock(like index: Int, weights: Weights) throws -> (any GuestBlock)? {
    blocks.indices.contains(index) ? PromptTransformerBlock(configuration, weights: weights) : nil
  }

  private func positions(_ rows: Int, _ columns: Int, like sample: Tensor) -> Tensor {
    let (side, size) = (configuration.sampleSize / configuration.patchSize, configuration.hiddenSize)
    return ConstantTables.table(
      "grid positions", [rows, columns, size].map(Double.init), dtype: sample.dtype, device: sample.device
    ) {
      rows == side && columns == side ? positions : GridPositions.make(rows: rows, columns: columns, size: size)
    }
  }
}

/// Two 3×3 convolutions at full resolution, which see across the borders of patches. `[B, channels, H, W] → [B, output, H, W]`.
struct PatchSeamHead: Sendable {
  let first: Convolution
  let second: Convolution

  init(_ weights: Weights, channels: Int, output: Int) {
    first = Convolution(weights["conv1"], channels, 2 * channels, kernel: 3)
    second = Convolution(weights["conv2"], 2 * channels, output, kernel: 3, initial: .zeros)
  }

  func callAsFunction(_ input: Tensor) -> Tensor { second(first(input, activation: .silu)) }
}

/// x·(1 + scale) + shift.
func modulate(_ input: Tensor, shift: Tensor, scale: Tensor) -> Tensor { shift.addcmul(input, tensor2: scale + 1) }

/// One block: self-attention and feed-forward under adaLN-Zero, with cross-attention to the prompt between them. `[B, N, C] → [B, N, C]`.
struct PromptTransformerBlock: GuestBlock {
  let norm1: LayerNorm
  let attention: Attention
  let crossNorm: LayerNorm
  let crossAttention: Attention
  let norm2: LayerNorm
  let feedForward: FeedForward
  let modulation: Linear

  init(_ configuration: PromptTransformerConfiguration, weights: Weights) {
    let size = configuration.hiddenSize
    norm1 = LayerNorm(weights["norm1"], size, affine: false)
    attention = Attention(weights["attn1"], size: size, heads: configuration.heads, normalisesHeads: true)
    crossNorm = LayerNorm(weights["norm_cross"], size)
    crossAttention = Attention(
      weights["attn2"], size: size, contextSize: configuration.crossAttentionSize, heads: configuration.heads, normalisesHeads: true,
      outputInitial: .zeros)
    norm2 = LayerNorm(weights["norm2"], size, affine: false)
    feedForward = FeedForward(weights["ff"], size: size, hidden: size * configuration.feedForwardRatio)
    modulation = Linear(weights["adaln"], size, 6 * size, initial: .zeros)
  }

  private func parts(_ signal: Tensor) -> [Tensor] { modulation(signal).unsqueeze(1).chunk(6, dim: -1) }

  /// What the attention takes.
  func modulated(_ input: Tensor, signal: Tensor) -> Tensor {
    let parts = parts(signal)
    return modulate(norm1(input), shift: parts[0], scale: parts[1])
  }

  func callAsFunction(
    _ input: Tensor, signal: Tensor, context: Tensor, mask: Tensor?, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Tensor {
    let parts = parts(signal)
    var hidden = input
    let attended = try evaluation.attention(Site("\(path).attn1", .attention, depth: depth), hidden) {
      attention(modulate(norm1($0), shift: parts[0], scale: parts[1]), probe: $1)
    }
    hidden = hidden.addcmul(parts[2], tensor2: attended)
    hidden += try evaluation.attention(Site("\(path).attn2", .crossAttention, depth: depth), hidden) {
      crossAttention(crossNorm($0), context: context, mask: mask, probe: $1)
    }
    let fed = try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), hidden) {
      feedForward(modulate(norm2($0), shift: parts[3], scale: parts[4]))
    }
    return hidden.addcmul(parts[5], tensor2: fed)
  }
}
