public import QuickstepNN
public import QuickstepTensor

/// A U-Net for small images, conditioned on a prompt (cross-attention and pooled) or on a class.
///
/// It is written as it is defined: a level is "down, the inner level, up", and the innermost level is the middle block. So everything
/// deeper than level k is one site (`Site.Kind.inner`) that a cache can keep. `[B, C, H, W] → [B, C, H, W]`.
public struct PromptUNet: Backbone {
  /// As given to the initialiser.
  public let configuration: PromptUNetConfiguration
  let timeEmbedding: TimestepEmbedding
  let pooledProjection: Linear?
  let classEmbedding: Embedding?
  let sketch: PromptSketch?
  let input: Convolution
  let outermost: UNetLevel
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
    input = Convolution(weights["conv_in"], sketch == nil ? folded : 2 * folded, channels[0], kernel: 3)
    outermost = UNetLevel(configuration, level: 0, input: channels[0], signal: signal, weights: weights)
    outputNorm = GroupNorm(weights["conv_norm_out"], groups: 8, channels: channels[0])
    output = Convolution(weights["conv_out"], channels[0], folded, kernel: 3, initial: .zeros)
  }

  /// `[in_channels, sample_size, sample_size]`. Other sizes work as well: the network is convolutional.
  public var sampleShape: [Int] { [configuration.inChannels, configuration.sampleSize, configuration.sampleSize] }
  /// The side of a patch, doubled for every level below the outermost.
  public var sizeMultiple: Int { configuration.patchSize << (configuration.blockChannels.count - 1) }

  /// Needs `sequence` and `pooled` where the model is conditioned on a prompt, `classes` where on a class; the label after the last stands
  /// for "no class". Sites are the residual blocks, the attentions and, per level, `inner`.
  /// - Throws: ``ComponentError`` without the condition; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    var signal = timeEmbedding(timestep, dtype: sample.dtype)
    if let pooledProjection {
      guard let pooled = conditioning.pooled, conditioning.sequence != nil else {
        throw ComponentError("this PromptUNet2D needs 'encoder_hidden_states' and 'pooled_projections'")
      }
      signal += pooledProjection(pooled)
    }
    if let classEmbedding {
      guard let classes = conditioning.classes else { throw ComponentError("this PromptUNet2D needs 'class_labels'") }
      signal += classEmbedding(classes.to(.int64))
    }
    let state = UNetState(
      signal: signal.silu(), context: conditioning.sequence, mask: conditioning.mask?.unsqueeze(1).unsqueeze(1), evaluation: evaluation)
    let patch = configuration.patchSize
    let seen = PromptSketch.beside(sample, sketch, pooled: conditioning.pooled)
    let hidden = try outermost(input(patch == 1 ? seen : seen.pixelUnshuffle(patch)), state)
    let result = output(outputNorm(hidden, activation: .silu))
    return patch == 1 ? result : result.pixelShuffle(patch)
  }
}

/// What every level of one evaluation needs.
struct UNetState {
  let signal: Tensor
  let context: Tensor?
  let mask: Tensor?
  let evaluation: Evaluation
}

/// Level k of the U-Net: residual blocks on the way down, the level below at half the side, residual blocks on the way up.
/// The innermost level has the middle block in place of a level below.
final class UNetLevel: Sendable {
  let level: Int
  let down: [UNetLayer]
  let downsample: Convolution?
  let inner: UNetLevel?
  let middle: [UNetLayer]
  let upsample: Convolution?
  let up: [UNetLayer]

  init(_ configuration: PromptUNetConfiguration, level: Int, input: Int, signal: Int, weights: Weights) {
    let channels = configuration.blockChannels[level]
    let isInnermost = level == configuration.blockChannels.count - 1
    func layer(_ weights: Weights, _ input: Int, attends: Bool) -> UNetLayer {
      UNetLayer(configuration, input: input, output: channels, signal: signal, attends: attends, depth: level, weights: weights)
    }
    let attends = configuration.attentionLevels[level]
    self.level = level
    down = (0..<configuration.layersPerBlock).map { layer(weights["down_blocks", level, $0], $0 == 0 ? input : channels, attends: attends) }
    if isInnermost {
      downsample = nil
      inner = nil
      upsample = nil
      middle = [layer(weights["mid_block"], channels, attends: true)]
    } else {
      downsample = Convolution(weights["down_blocks", level, "downsample"], channels, channels, kernel: 3, stride: 2)
      inner = UNetLevel(configuration, level: level + 1, input: channels, signal: signal, weights: weights)
      upsample = Convolution(weights["up_blocks", level, "upsample"], configuration.blockChannels[level + 1], channels, kernel: 3)
      middle = []
    }
    // One more than on the way down: the last takes the level's own input as its skip connection as well.
    let skips = [input] + Array(repeating: channels, count: configuration.layersPerBlock)
    up = skips.reversed().enumerated().map { index, skip in layer(weights["up_blocks", level, index], channels + skip, attends: attends) }
  }

  func callAsFunction(_ input: Tensor, _ state: UNetState) throws -> Tensor {
    var skips = [input]
    var hidden = input
    for layer in down {
      hidden = try layer(hidden, state)
      skips.append(hidden)
    }
    hidden = try state.evaluation.site(Site("levels.\(level).inner", .inner, depth: level), hidden) { try deeper($0, state) }
    for layer in up { hidden = try layer(.cat([hidden, skips.removeLast()], dim: 1), state) }
    return hidden
  }

  private func deeper(_ input: Tensor, _ state: UNetState) throws -> Tensor {
    guard let inner, let downsample, let upsample else { return try middle.reduce(input) { try $1($0, state) } }
    let below = try inner(downsample(input), state)
    return upsample(below.upsampleNearest2d([input.size(2), input.size(3)]))
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

  func callAsFunction(_ input: Tensor, _ state: UNetState) throws -> Tensor {
    let hidden = try state.evaluation.site(Site("\(path).resnet", .residual, depth: depth), input) { residual($0, signal: state.signal) }
    guard let attention else { return hidden }
    return try attention(
      hidden, context: state.context, mask: state.mask, path: "\(path).attention", depth: depth, evaluation: state.evaluation)
  }
}
