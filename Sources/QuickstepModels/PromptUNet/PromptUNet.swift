public import QuickstepNN
public import QuickstepTensor

/// A U-Net for small images, conditioned on a prompt (cross-attention and pooled) or on a class.
///
/// Everything deeper than a skip connection is one site (`Site.Kind.inner`) that a cache can keep. `[B, C, H, W] → [B, C, H, W]`.
public struct PromptUNet: Backbone {
  /// As given to the initialiser.
  public let configuration: PromptUNetConfiguration
  let timeEmbedding: TimestepEmbedding
  let pooledProjection: Linear?
  let classEmbedding: Embedding?
  let sketch: PromptSketch?
  let body: UNetBody
  let outputNorm: GroupNorm
  let output: Convolution

  /// - Throws: `ComponentError` when the configuration's numbers make no network.
  public init(_ configuration: PromptUNetConfiguration, weights: Weights) throws {
    if let problem = configuration.problem { throw ComponentError("PromptUNet2D: \(problem)") }
    self.configuration = configuration
    let channels = configuration.blockChannels
    let folded = configuration.inChannels * configuration.patchSize * configuration.patchSize
    let signal = channels[0] * 4
    timeEmbedding = TimestepEmbedding(weights["time_embedding"], size: signal)
    pooledProjection = configuration.crossAttentionSize.map { Linear(weights["pooled_proj"], $0, signal) }
    classEmbedding = configuration.classCount.map { Embedding(weights["class_embedding"], count: $0 + 1, size: signal) }
    sketch = try configuration.sketch.map { try PromptSketch($0, weights: weights["sketch"]) }
    let input = Convolution(weights["conv_in"], sketch == nil ? folded : 2 * folded, channels[0], kernel: 3)
    body = UNetBody(configuration, input: input, signal: signal, weights: weights)
    outputNorm = GroupNorm(weights["conv_norm_out"], groups: 8, channels: channels[0])
    output = Convolution(weights["conv_out"], channels[0], folded, kernel: 3, initial: .zeros)
  }

  /// `[in_channels, sample_size, sample_size]`. Other sizes work as well: the network is convolutional.
  public var sampleShape: [Int] { [configuration.inChannels, configuration.sampleSize, configuration.sampleSize] }
  /// The steps down and up, the middle, everything deeper than a skip connection; residual blocks and attentions.
  public var sites: [Site] { body.sites }
  /// With the prompt's sketch and the projection of its summary.
  public func prepared(_ conditioning: Conditioning, sampleSide: (height: Int, width: Int)) -> Conditioning {
    PromptSketch.prepared(conditioning, sketch, pooledProjection, sampleSide: sampleSide)
  }
  /// The side of a patch, doubled for every level below the outermost.
  public var sizeMultiple: Int { configuration.patchSize << (configuration.blockChannels.count - 1) }

  /// Needs `sequence` and `pooled` where the model is conditioned on a prompt, `classes` where on a class; the label after the last stands
  /// for "no class". Sites are those of ``sites``.
  /// - Throws: ``ComponentError`` without the condition; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    var signal = timeEmbedding(timestep, dtype: sample.dtype)
    if let pooledProjection {
      guard let pooled = conditioning.pooled, conditioning.sequence != nil else {
        throw ComponentError("this PromptUNet2D needs 'encoder_hidden_states' and 'pooled_projections'")
      }
      signal += conditioning.prepared[PromptSketch.preparedPooled] ?? pooledProjection(pooled)
    }
    if let classEmbedding {
      guard let classes = conditioning.classes else { throw ComponentError("this PromptUNet2D needs 'class_labels'") }
      signal += classEmbedding(classes.to(.int64))
    }
    let state = UNetState(
      signal: signal.silu(), context: conditioning.sequence, mask: conditioning.mask?.unsqueeze(1).unsqueeze(1), evaluation: evaluation)
    let patch = configuration.patchSize
    let seen = PromptSketch.beside(sample, sketch, conditioning)
    let hidden = try body(patch == 1 ? seen : seen.pixelUnshuffle(patch), state)
    let result = output(outputNorm(hidden, activation: .silu))
    return patch == 1 ? result : result.pixelShuffle(patch)
  }
}

/// What every part of one evaluation needs.
struct UNetState {
  let signal: Tensor
  let context: Tensor?
  let mask: Tensor?
  let evaluation: Evaluation
}

/// Everything between the first convolution and the last: steps down, the middle, steps up, numbered by their skip connections.
struct UNetBody: Sendable {
  /// Makes a skip connection.
  enum Down: Sendable {
    case convolution(Convolution)
    case layer(UNetLayer)
  }

  /// Takes a skip connection; what brings its result to the side of the level above.
  struct Up: Sendable {
    let layer: UNetLayer
    var upsample: Convolution?
  }

  private(set) var down: [Down]
  private(set) var middle: [UNetLayer] = []
  /// By skip connection.
  private(set) var up: [Up] = []

  /// - Parameter input: makes the first skip connection.
  init(_ configuration: PromptUNetConfiguration, input: Convolution, signal: Int, weights: Weights) {
    down = [.convolution(input)]
    up = add(configuration, level: 0, input: configuration.blockChannels[0], signal: signal, weights: weights)
  }

  /// Level k and all below it. Fresh parameters are drawn in this order: down, below, up.
  /// - Returns: the way up.
  private mutating func add(
    _ configuration: PromptUNetConfiguration, level: Int, input: Int, signal: Int, weights: Weights
  ) -> [Up] {
    let channels = configuration.blockChannels[level]
    func layer(_ weights: Weights, _ input: Int) -> UNetLayer {
      UNetLayer(
        configuration, input: input, output: channels, signal: signal, attends: configuration.attentionLevels[level], depth: level,
        weights: weights)
    }
    let layers = configuration.layersPerBlock
    for index in 0..<layers { down.append(.layer(layer(weights["down_blocks", level, index], index == 0 ? input : channels))) }
    var below: [Up] = []
    if level == configuration.blockChannels.count - 1 {
      middle = [
        UNetLayer(
          configuration, input: channels, output: channels, signal: signal, attends: true, depth: level, weights: weights["mid_block"])
      ]
    } else {
      down.append(.convolution(Convolution(weights["down_blocks", level, "downsample"], channels, channels, kernel: 3, stride: 2)))
      below = add(configuration, level: level + 1, input: channels, signal: signal, weights: weights)
      below[0].upsample = Convolution(
        weights["up_blocks", level, "upsample"], configuration.blockChannels[level + 1], channels, kernel: 3)
    }
    // One more than on the way down: the last takes the level's own input as its skip connection as well.
    let skips = [input] + Array(repeating: channels, count: layers)
    let own = skips.reversed().enumerated().map { Up(layer: layer(weights["up_blocks", level, $0], channels + $1)) }
    return own.reversed() + below
  }

  /// - Parameter input: `[B, C, H, W]`, what the first convolution takes.
  func callAsFunction(_ input: Tensor, _ state: UNetState) throws -> Tensor {
    try state.evaluation.nest(input, count: down.count) { index, hidden in
      switch down[index] {
      case .convolution(let convolution): convolution(hidden)
      case .layer(let layer): try layer(hidden, state)
      }
    } middle: {
      try middle.reduce($0) { try $1($0, state) }
    } up: { index, below, skip, outer in
      let hidden = try up[index].layer(.cat([below, skip], dim: 1), state)
      return up[index].upsample.map { $0(hidden.upsampleNearest2d(Array(outer.suffix(2)))) } ?? hidden
    }
  }

  /// The sites of an evaluation, in the order in which they are visited.
  var sites: [Site] {
    Site.nest(
      count: down.count, down: { if case .layer(let layer) = down[$0] { layer.sites } else { [] } }, middle: middle.flatMap(\.sites),
      up: { up[$0].layer.sites })
  }
}

/// A residual block and, at some levels, attention.
struct UNetLayer: Sendable {
  let residual: UNetResidualBlock
  let attention: UNetAttentionBlock?
  let path: String
  let depth: Int

  init(_ configuration: PromptUNetConfiguration, input: Int, output: Int, signal: Int, attends: Bool, depth: Int, weights: Weights) {
    residual = UNetResidualBlock(weights["resnet"], input, output, signal: signal)
    attention =
      attends
      ? UNetAttentionBlock(weights["attention"], channels: output, heads: configuration.heads, context: configuration.crossAttentionSize)
      : nil
    path = weights.path
    self.depth = depth
  }

  var sites: [Site] {
    [Site("\(path).resnet", .residual, depth: depth)] + (attention?.sites("\(path).attention", depth: depth) ?? [])
  }

  func callAsFunction(_ input: Tensor, _ state: UNetState) throws -> Tensor {
    let hidden = try state.evaluation.site(Site("\(path).resnet", .residual, depth: depth), input, shortcut: residual.shortcut(of:)) {
      residual($0, signal: state.signal)
    }
    guard let attention else { return hidden }
    return try attention(
      hidden, context: state.context, mask: state.mask, path: "\(path).attention", depth: depth, evaluation: state.evaluation)
  }
}
