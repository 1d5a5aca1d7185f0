public import QuickstepNN
public import QuickstepTensor

/// The transformer of Stable Diffusion 3 and 3.5 (Esser et al. 2024, arXiv 2403.03206); diffusers' `SD3Transformer2DModel`, with its names of
/// parameters. `[B, C, H, W] → [B, C', H, W]`, timesteps 0…1000.
public struct SD3Transformer: Backbone {
  /// The arguments of diffusers' class.
  public static let inputs = ["hidden_states", "timestep", "encoder_hidden_states", "pooled_projections"]
  /// As given to the initialiser.
  public let configuration: SD3Configuration
  let patches: Convolution
  /// `[1, side · side, C]`, where the checkpoint holds it.
  let positions: Tensor?
  let signal: PooledTimeEmbedding
  let prompt: Linear
  let blocks: [JointBlock]
  let outputNorm: SignalNorm
  let output: Linear

  /// Parameters are taken from `weights` under diffusers' names. The table of positions, which checkpoints hold, is computed where it is not
  /// stored.
  public init(_ configuration: SD3Configuration, weights: Weights) {
    self.configuration = configuration
    let (size, patch, side) = (configuration.hiddenSize, configuration.patchSize, configuration.positionSize)
    let scope = weights["pos_embed"]
    patches = Convolution(scope["proj"], configuration.inChannels, size, kernel: patch, stride: patch, padding: 0)
    positions =
      scope.has("pos_embed") ? scope.parameter("pos_embed", [1, side * side, size], initial: .zeros) : nil
    signal = PooledTimeEmbedding(weights["time_text_embed"], pooled: configuration.pooledSize, size: size)
    prompt = Linear(weights["context_embedder"], configuration.promptSize, size)
    blocks = (0..<configuration.layers).map { index in
      let shape = JointBlockShape(
        size: size, heads: configuration.heads, normalisesHeads: configuration.normalisesHeads,
        hasSecondAttention: configuration.secondAttentionLayers.contains(index), isLast: index == configuration.layers - 1)
      return JointBlock(weights["transformer_blocks", index], shape)
    }
    outputNorm = SignalNorm(weights["norm_out"], size: size)
    output = Linear(weights["proj_out"], size, patch * patch * configuration.outChannels)
  }

  /// `[in_channels, sample_size, sample_size]`. Other sizes work as well, up to the side of the table of positions.
  public var sampleShape: [Int] { [configuration.inChannels, configuration.sampleSize, configuration.sampleSize] }
  /// The blocks and, in each, attention, the second attention where there is one, and feed-forward layers.
  public var sites: [Site] { zip(BlockRun.sites([run]), blocks).flatMap { [$0] + $1.sites($0) } }
  private var run: BlockRun { BlockRun("transformer_blocks", count: blocks.count) }
  /// Feed-forward layers treat every token by itself.
  public var tokenTraits: TokenTraits? {
    TokenTraits(separable: [.feedForward], signals: [.received, .values], patch: configuration.patchSize)
  }
  /// The side of a patch.
  public var sizeMultiple: Int { configuration.patchSize }
  /// That of the table of positions.
  public var largestSide: Int? { configuration.positionSize * configuration.patchSize }

  /// Needs `sequence` and `pooled`. Sites are the blocks and, in each, `attn` and `ff`, whose values are the picture's tokens and the prompt's
  /// (in the last block the picture's alone come out), and `attn2` where the block has it.
  /// - Throws: ``ComponentError`` without a condition and for a sample that does not fit or is too large; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let sequence = conditioning.sequence, let pooled = conditioning.pooled else {
      throw ComponentError("SD3Transformer2DModel needs 'encoder_hidden_states' and 'pooled_projections'")
    }
    let (rows, columns) = try Patches.grid(sample, channels: configuration.inChannels, patch: configuration.patchSize)
    let tokens = patches(sample).flatten(startDim: 2).transposed + (try positions(rows: rows, columns: columns, like: sample))
    let signal = self.signal(timestep, scale: nil, pooled: pooled).silu()
    let streams = try evaluation.sequence(
      [run], Streams(image: tokens, text: prompt(sequence)), modulated: { blocks[0].modulated($0, signal: signal) }
    ) { index, streams in
      try blocks[index](streams, signal: signal, rotary: nil, path: "transformer_blocks.\(index)", depth: index, evaluation: evaluation)
    }
    return Patches.joined(
      output(outputNorm(streams.image, signal: signal)), rows: rows, columns: columns, patch: configuration.patchSize)
  }

  /// The middle of the table, `[1, rows · columns, C]`.
  private func positions(rows: Int, columns: Int, like sample: Tensor) throws -> Tensor {
    let (side, patch) = (configuration.positionSize, configuration.patchSize)
    guard rows <= side, columns <= side else {
      throw ComponentError(
        "a sample of \(rows * patch)×\(columns * patch) is too large for this SD3Transformer2DModel; at most \(side * patch) a side")
    }
    guard let positions else {
      return StretchedPositions.make(
        rows: rows, columns: columns, size: configuration.hiddenSize, base: configuration.sampleSize / patch, table: side,
        like: sample)
    }
    return positions.unflatten(1, sizes: [side, side]).narrow(1, start: (side - rows) / 2, length: rows)
      .narrow(2, start: (side - columns) / 2, length: columns).flatten(startDim: 1, endDim: 2).to(sample.dtype, sample.device)
  }
}
