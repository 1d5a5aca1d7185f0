public import QuickstepNN
public import QuickstepTensor

/// The transformer of Sana (Xie et al. 2024, arXiv 2410.10629), with linear attention and a convolutional feed-forward part; diffusers'
/// `SanaTransformer2DModel`, with its names of parameters. `[B, C, H, W] → [B, C', H, W]`.
///
/// As a ``Backbone`` it multiplies timesteps by `timestep_scale` and ``Conditioning/guidanceScale`` by `guidance_embeds_scale` itself, which
/// diffusers leaves to its pipelines; ``forward(_:)`` takes both as the reference's `forward` does, multiplied.
public struct SanaTransformer: Backbone {
  /// The arguments of diffusers' class.
  public static let inputs = ["hidden_states", "timestep", "encoder_hidden_states", "encoder_attention_mask?", "guidance?"]
  /// As given to the initialiser.
  public let configuration: SanaConfiguration
  let patches: Convolution
  let time: SanaTimeEmbedding
  let captions: CaptionProjection
  let captionNorm: RMSNorm
  let blocks: [SanaBlock]
  let outputNorm: LayerNorm
  /// `[2, C]`: shift and scale before the output.
  let outputTable: Tensor
  let output: Linear

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: SanaConfiguration, weights: Weights) {
    self.configuration = configuration
    let (size, patch) = (configuration.hiddenSize, configuration.patchSize)
    patches = Convolution(weights["patch_embed", "proj"], configuration.inChannels, size, kernel: patch, stride: patch, padding: 0)
    time = SanaTimeEmbedding(weights["time_embed"], size: size, embedsGuidance: configuration.embedsGuidance)
    captions = CaptionProjection(weights["caption_projection"], configuration.promptSize, size: size)
    captionNorm = RMSNorm(weights["caption_norm"], size, epsilon: 1e-5)
    blocks = (0..<configuration.layers).map { SanaBlock(configuration, weights: weights["transformer_blocks", $0]) }
    outputNorm = LayerNorm(weights["norm_out", "norm"], size, affine: false)
    outputTable = weights.parameter("scale_shift_table", [2, size], initial: .normal(0.02))
    output = Linear(weights["proj_out"], size, patch * patch * configuration.outChannels)
  }

  /// `[in_channels, sample_size, sample_size]`. Other sizes work as well.
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

  /// Needs `sequence`, takes `mask`; needs `guidanceScale` where the model embeds it. Sites are the blocks and, in each, `attn1`, `attn2` and
  /// `ff`.
  /// - Throws: ``ComponentError`` without a condition, with a guidance scale that the model does not know, and for a sample that does not fit;
  ///   what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    try denoise(
      sample, timestep: timestep * configuration.timestepFactor,
      guidance: conditioning.guidanceScale.map { $0 * configuration.guidanceFactor }, conditioning: conditioning, evaluation: evaluation)
  }

  private func denoise(
    _ sample: Tensor, timestep: Tensor, guidance: Tensor?, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let sequence = conditioning.sequence else { throw ComponentError("SanaTransformer2DModel needs 'encoder_hidden_states'") }
    let (rows, columns) = try Patches.grid(sample, channels: configuration.inChannels, patch: configuration.patchSize)
    var tokens = patches(sample).flatten(startDim: 2).transposed
    if let scale = configuration.positionScale {
      let positions = StretchedPositions.make(
        rows: rows, columns: columns, size: configuration.hiddenSize, base: configuration.sampleSize / configuration.patchSize,
        scale: scale,
        like: sample)
      tokens += positions
    }
    let (parts, embedding) = try time(timestep, guidance: guidance, dtype: sample.dtype)
    let context = captionNorm(captions(sequence))
    let mask = HeadAttention.bias(conditioning.mask, dtype: sample.dtype)
    let hidden = try evaluation.sequence(
      "transformer_blocks", count: blocks.count, tokens, modulated: { blocks[0].modulated($0, modulation: parts) }
    ) { index, tokens in
      try blocks[index](
        tokens, modulation: parts, context: context, mask: mask, rows: rows, path: "transformer_blocks.\(index)", depth: index,
        evaluation: evaluation)
    }
    let last = (outputTable + embedding.unsqueeze(1)).chunk(2, dim: 1)
    return Patches.joined(
      output(modulate(outputNorm(hidden), shift: last[0], scale: last[1])), rows: rows, columns: columns, patch: configuration.patchSize)
  }

  /// The reference's `forward`: `timestep` and `guidance` are multiplied by the factors of the configuration already.
  /// - Returns: `sample`, `[B, C', H, W]`.
  /// - Throws: ``ComponentError`` for missing and unknown names and shapes that do not fit; `TensorError`.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let (sample, timestep) = (try required("hidden_states", of: inputs), try required("timestep", of: inputs))
    guard sample.rank == 4 else { throw ComponentError("'hidden_states' must be [B, C, H, W], it is \(sample.shape)") }
    return try withTensorErrors {
      let conditioning = try unpadded(["": Conditioning(named: inputs)])[""] ?? Conditioning()
      let output = try denoise(
        sample, timestep: timestep.to(.float32).reshape([-1]).expand([sample.size(0)]), guidance: inputs["guidance"],
        conditioning: conditioning, evaluation: .plain)
      return ["sample": output]
    }
  }
}

/// The modulation of all blocks from the time and, in some models, a guidance scale; diffusers' `AdaLayerNormSingle` and
/// `SanaCombinedTimestepGuidanceEmbeddings`, whose names differ.
enum SanaTimeEmbedding: Sendable {
  case time(SharedModulation)
  case timeAndGuidance(SinusoidalFeatures, time: SignalEmbedding, guidance: SignalEmbedding, linear: Linear)

  init(_ weights: Weights, size: Int, embedsGuidance: Bool) {
    guard embedsGuidance else {
      self = .time(SharedModulation(weights, size: size))
      return
    }
    self = .timeAndGuidance(
      SinusoidalFeatures(size: 256, cosinesFirst: true, shift: 0), time: SignalEmbedding(weights["timestep_embedder"], 256, size),
      guidance: SignalEmbedding(weights["guidance_embedder"], 256, size), linear: Linear(weights["linear"], size, 6 * size))
  }

  /// - Returns: six parts `[B, 6, C]`, and the embedding `[B, C]` that they are made from.
  func callAsFunction(_ timestep: Tensor, guidance scale: Tensor?, dtype: DType) throws -> (parts: Tensor, embedding: Tensor) {
    switch self {
    case .time(let modulation):
      guard scale == nil else { throw ComponentError("this SanaTransformer2DModel takes no 'guidance'") }
      return try modulation(timestep, Conditioning(), dtype: dtype)
    case .timeAndGuidance(let features, let time, let guidance, let linear):
      guard let scale else { throw ComponentError("this SanaTransformer2DModel needs 'guidance'") }
      let embedding = time(features(timestep).to(dtype)) + guidance(features(scale.reshape([-1])).to(dtype))
      return (linear(embedding.silu()).unflatten(-1, sizes: [6, -1]), embedding)
    }
  }
}
