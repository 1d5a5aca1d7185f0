public import QuickstepNN
public import QuickstepTensor

/// The transformer of FLUX.1 (Black Forest Labs 2024): blocks of two streams, then blocks of one, with rotary positions; diffusers'
/// `FluxTransformer2DModel`, with its names of parameters.
///
/// As a ``Backbone`` it takes latents `[B, C, H, W]` and packs 2×2 pixels into a token itself; positions follow from the size. Timesteps run
/// over 0…1000, as flow schedules have them, and ``Conditioning/guidanceScale`` is the plain scale, such as 3.5. ``forward(_:)`` takes what the
/// reference's `forward` takes: packed tokens with their positions, and times 0…1.
public struct FluxTransformer: Backbone {
  /// The arguments of diffusers' class.
  public static let inputs = [
    "hidden_states", "timestep", "encoder_hidden_states", "pooled_projections", "img_ids", "txt_ids", "guidance?",
  ]
  /// As given to the initialiser.
  public let configuration: FluxConfiguration
  let signal: PooledTimeEmbedding
  let prompt: Linear
  let image: Linear
  let blocks: [JointBlock]
  let singleBlocks: [FluxSingleBlock]
  let outputNorm: SignalNorm
  let output: Linear

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: FluxConfiguration, weights: Weights) {
    self.configuration = configuration
    let size = configuration.hiddenSize
    signal = PooledTimeEmbedding(
      weights["time_text_embed"], pooled: configuration.pooledSize, size: size, embedsGuidance: configuration.embedsGuidance)
    prompt = Linear(weights["context_embedder"], configuration.promptSize, size)
    image = Linear(weights["x_embedder"], configuration.inChannels, size)
    let shape = JointBlockShape(size: size, heads: configuration.heads, normalisesHeads: true)
    blocks = (0..<configuration.layers).map { JointBlock(weights["transformer_blocks", $0], shape) }
    singleBlocks = (0..<configuration.singleLayers).map {
      FluxSingleBlock(weights["single_transformer_blocks", $0], size: size, heads: configuration.heads)
    }
    outputNorm = SignalNorm(weights["norm_out"], size: size)
    output = Linear(weights["proj_out"], size, configuration.outChannels)
  }

  /// A quarter of `in_channels`, and 128 pixels a side: pictures of 1024 pixels. Other sizes work as well.
  public var sampleShape: [Int] { [configuration.inChannels / 4, 128, 128] }
  /// The blocks of both kinds and, in each, attention and feed-forward layers; in single blocks also both with the projection that joins them.
  public var sites: [Site] {
    zip(BlockRun.sites(runs), blocks.map(Optional.some) + singleBlocks.map { _ in nil }).flatMap { site, block in
      [site] + (block?.sites(site) ?? Site.modules(site.path, depth: site.depth, FluxSingleBlock.modules))
    }
  }
  private var runs: [BlockRun] {
    [BlockRun("transformer_blocks", count: blocks.count), BlockRun("single_transformer_blocks", count: singleBlocks.count)]
  }
  /// Feed-forward layers treat every token by itself, and so does what joins them with attention.
  public var tokenTraits: TokenTraits? { TokenTraits(separable: [.feedForward], signals: [.received, .values], patch: 2) }
  /// 2: the side of what becomes a token.
  public var sizeMultiple: Int { 2 }

  /// Needs `sequence` and `pooled`, and `guidanceScale` where the model embeds it. Sites are the blocks of both lists; in those of two
  /// streams `attn` and `ff`, whose values are the picture's tokens and the prompt's; in those of one stream `attn`, which takes the normalised
  /// tokens.
  /// - Throws: ``ComponentError`` without a condition, with a guidance scale that the model does not know, and for a sample that does not fit;
  ///   what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let prompt = conditioning.sequence, let pooled = conditioning.pooled else {
      throw ComponentError("FluxTransformer2DModel needs 'encoder_hidden_states' and 'pooled_projections'")
    }
    let (rows, columns) = try Patches.grid(sample, channels: configuration.inChannels / 4, patch: 2)
    let length = prompt.size(1)
    let positions = ConstantTables.table("FLUX positions", [length, rows, columns].map(Double.init), device: sample.device) {
      .cat([.zeros([length, 3]), Self.positions(rows: rows, columns: columns)])
    }
    let tokens = try denoise(
      Self.packed(sample), timestep: timestep, guidanceScale: conditioning.guidanceScale, prompt: prompt, pooled: pooled,
      positions: positions,
      evaluation: evaluation)
    return Self.unpacked(tokens, rows: rows, columns: columns)
  }

  /// Latents `[B, C, H, W]` as tokens `[B, H/2 · W/2, 4·C]`, channels before pixels.
  public static func packed(_ latents: Tensor) -> Tensor {
    let (batch, channels, rows, columns) = (latents.size(0), latents.size(1), latents.size(2) / 2, latents.size(3) / 2)
    return latents.reshape([batch, channels, rows, 2, columns, 2]).permute([0, 2, 4, 1, 3, 5])
      .reshape([batch, rows * columns, channels * 4])
  }

  /// Tokens `[B, rows · columns, 4·C]` as latents `[B, C, 2·rows, 2·columns]`.
  public static func unpacked(_ tokens: Tensor, rows: Int, columns: Int) -> Tensor {
    let (batch, channels) = (tokens.size(0), tokens.size(2) / 4)
    return tokens.reshape([batch, rows, columns, channels, 2, 2]).permute([0, 3, 1, 4, 2, 5])
      .reshape([batch, channels, rows * 2, columns * 2])
  }

  /// Positions of a picture's tokens, `[rows · columns, 3]` float32: 0, row, column. Those of a prompt's tokens are all 0.
  public static func positions(rows: Int, columns: Int) -> Tensor {
    let values: [Float] = (0..<rows).flatMap { row in (0..<columns).flatMap { [0, Float(row), Float($0)] } }
    return Tensor(values, shape: [rows * columns, 3])
  }

  /// - Parameters:
  ///   - tokens: `[B, N, in_channels]`.
  ///   - timestep: `[B]`, 0…1000.
  ///   - guidanceScale: `[B]`.
  ///   - positions: `[L + N, 3]`, the prompt's first.
  /// - Returns: `[B, N, out_channels]`.
  func denoise(
    _ tokens: Tensor, timestep: Tensor, guidanceScale: Tensor?, prompt sequence: Tensor, pooled: Tensor, positions: Tensor,
    evaluation: Evaluation
  ) throws -> Tensor {
    guard (guidanceScale != nil) == configuration.embedsGuidance else {
      throw ComponentError(
        configuration.embedsGuidance ? "this FluxTransformer2DModel needs 'guidance'" : "this FluxTransformer2DModel takes no 'guidance'")
    }
    let scale = guidanceScale.map { $0.to(.float32).reshape([-1]) * 1000 }
    let signal = self.signal(timestep, scale: scale, pooled: pooled).silu()
    let rotary = RotaryPositions(positions, sizes: configuration.axes)
    let streams = try evaluation.sequence(
      runs, Streams(image: image(tokens), text: prompt(sequence)), modulated: { blocks.first?.modulated($0, signal: signal) ?? $0.image }
    ) { index, streams in
      guard index >= blocks.count else {
        return try blocks[index](
          streams, signal: signal, rotary: rotary, path: "transformer_blocks.\(index)", depth: index, evaluation: evaluation)
      }
      let joined = try singleBlocks[index - blocks.count](
        streams.joined(), signal: signal, rotary: rotary, path: "single_transformer_blocks.\(index - blocks.count)", depth: index,
        evaluation: evaluation)
      return Streams(joined: joined, textLength: sequence.size(1))
    }
    return output(outputNorm(streams.image, signal: signal))
  }

  /// The reference's `forward`: `hidden_states` are tokens `[B, N, in_channels]`, `timestep` is 0…1, `img_ids` and `txt_ids` are `[N, 3]` and
  /// `[L, 3]`, or have a first dimension of which only the first entry counts.
  /// - Returns: `sample`, tokens `[B, N, out_channels]`.
  /// - Throws: ``ComponentError`` for missing and unknown names and for shapes that do not belong together; `TensorError`.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let (tokens, prompt) = (try required("hidden_states", of: inputs), try required("encoder_hidden_states", of: inputs))
    let (timestep, pooled) = (try required("timestep", of: inputs), try required("pooled_projections", of: inputs))
    func checked(_ tensor: Tensor, _ name: String, _ last: Int) throws {
      guard tensor.rank == 3, tensor.size(0) == tokens.size(0), tensor.size(2) == last else {
        throw ComponentError("'\(name)' must be [B, N, \(last)], it is \(tensor.shape)")
      }
    }
    try checked(tokens, "hidden_states", configuration.inChannels)
    try checked(prompt, "encoder_hidden_states", configuration.promptSize)
    func positions(_ name: String, count: Int) throws -> Tensor {
      let given = try required(name, of: inputs)
      guard given.shape == [count, 3] || (given.rank == 3 && given.size(0) > 0 && Array(given.shape.dropFirst()) == [count, 3]) else {
        throw ComponentError("'\(name)' must be [\(count), 3], it is \(given.shape)")
      }
      return (given.rank == 3 ? given.select(0, index: 0) : given).to(.float32)
    }
    let places = [try positions("txt_ids", count: prompt.size(1)), try positions("img_ids", count: tokens.size(1))]
    return try withTensorErrors {
      let times = timestep.to(.float32).reshape([-1]).expand([tokens.size(0)]) * 1000
      let sample = try denoise(
        tokens, timestep: times, guidanceScale: inputs["guidance"], prompt: prompt, pooled: pooled, positions: .cat(places),
        evaluation: .plain)
      return ["sample": sample]
    }
  }
}

/// Attention and feed-forward layers side by side on the tokens of prompt and picture, with one projection for both (Dehghani et al. 2023,
/// arXiv 2302.05442); diffusers' `FluxSingleTransformerBlock`. `[B, L + N, C] → [B, L + N, C]`.
struct FluxSingleBlock: Sendable {
  let norm: LayerNorm
  let modulation: Linear
  let attention: HeadProjections
  let first: Linear
  let output: Linear
  let attend: ScaledAttention

  init(_ weights: Weights, size: Int, heads: Int) {
    attend = ScaledAttention(weights)
    norm = LayerNorm(weights["norm", "norm"], size, affine: false)
    modulation = Linear(weights["norm", "linear"], size, 3 * size)
    attention = HeadProjections(weights["attn"], size: size, heads: heads, normalisesHeads: true)
    first = Linear(weights["proj_mlp"], size, 4 * size)
    output = Linear(weights["proj_out"], 5 * size, size)
  }

  func callAsFunction(
    _ input: Tensor, signal: Tensor, rotary: RotaryPositions, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Tensor {
    let parts = modulation(signal).unsqueeze(1).chunk(3, dim: -1)
    let normed = modulate(norm(input), shift: parts[0], scale: parts[1])
    let change = try evaluation.site(Site("\(path).both", .parallel, depth: depth), normed) { normed in
      let attended = try evaluation.attention(Site("\(path).attn", .attention, depth: depth), normed) { normed, probe in
        let (query, key, value) = (rotary(attention.queries(normed)), rotary(attention.keys(normed)), attention.values(normed))
        probe?.observe(query: query, key: key, value: value)
        return attend(query, key, value)
      }
      let fed = try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), normed) { first($0, activation: .geluTanh) }
      return output(.cat([attended, fed], dim: -1))
    }
    return input.addcmul(parts[2], tensor2: change)
  }

  static let modules: [(name: String, kind: Site.Kind)] = [("both", .parallel), ("attn", .attention), ("ff", .feedForward)]
}
