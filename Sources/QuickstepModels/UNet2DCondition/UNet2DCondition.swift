public import QuickstepNN
public import QuickstepTensor

/// The U-Net of Stable Diffusion 1.x, 2.x and XL (Rombach et al. 2022, arXiv 2112.10752; Podell et al. 2023, arXiv 2307.01952); diffusers'
/// `UNet2DConditionModel`, with its names of parameters.
///
/// Like ``PromptUNet`` it is written as it is defined: a level is "down, the level below, up". `[B, C, H, W] → [B, C', H, W]`.
public struct UNet2DCondition: Backbone {
  /// The arguments of diffusers' class; `text_embeds` and `time_ids` are its `added_cond_kwargs`, residuals of a ControlNet are numbered
  /// `down_block_additional_residuals.0` and so on.
  public static let inputs = [
    "sample", "timestep", "encoder_hidden_states?", "encoder_attention_mask?", "class_labels?", "timestep_cond?", "text_embeds?",
    "time_ids?",
    "down_block_additional_residuals.*?", "mid_block_additional_residual?",
  ]
  /// As given to the initialiser.
  public let configuration: UNet2DConditionConfiguration
  let time: TimeSignal
  let promptProjection: Linear?
  let input: Convolution
  let outermost: UNet2DLevel
  let outputNorm: GroupNorm
  let output: Convolution

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: UNet2DConditionConfiguration, weights: Weights) throws {
    self.configuration = configuration
    let channels = configuration.blockChannels[0]
    time = TimeSignal(configuration, weights: weights)
    promptProjection = configuration.promptSize.map { Linear(weights["encoder_hid_proj"], $0, configuration.contextSizes[0]) }
    input = Convolution(weights["conv_in"], configuration.inChannels, channels, kernel: 3)
    outermost = UNet2DLevel(configuration, level: 0, input: channels, signal: time.size, weights: weights)
    outputNorm = GroupNorm(weights["conv_norm_out"], groups: configuration.groups, channels: channels, epsilon: configuration.epsilon)
    output = Convolution(weights["conv_out"], channels, configuration.outChannels, kernel: 3)
  }

  /// `[in_channels, sample_size, sample_size]`, with 64 where the configuration says no size. Other sizes work as well.
  public var sampleShape: [Int] {
    let side = configuration.sampleSize ?? 64
    return [configuration.inChannels, side, side]
  }
  /// 1: odd sizes are met by enlarging to the size that a level came in with, as diffusers does.
  public var sizeMultiple: Int { 1 }

  /// Needs `sequence`; `pooled` and `timeIDs` for SDXL, `classes` and `guidance` where the configuration says so. Sites are the residual
  /// blocks, the attentions and feed-forward layers and, per level, `inner`.
  /// - Throws: ``ComponentError`` without a condition; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let prompt = conditioning.sequence else { throw ComponentError("UNet2DConditionModel needs 'encoder_hidden_states'") }
    let state = UNet2DState(
      signal: try time(timestep, conditioning, dtype: sample.dtype), context: promptProjection.map { $0(prompt) } ?? prompt,
      mask: conditioning.mask?.unsqueeze(1).unsqueeze(1), residuals: conditioning.residuals, evaluation: evaluation)
    let seen = configuration.centersInput ? sample * 2 - 1 : sample
    let hidden = try outermost(input(seen), skip: 0, state)
    return output(outputNorm(hidden).silu())
  }
}

/// What every level of one evaluation needs.
struct UNet2DState {
  let signal: Tensor
  let context: Tensor
  let mask: Tensor?
  let residuals: ControlResiduals?
  let evaluation: Evaluation
}

/// Level k: residual blocks on the way down, the level below at half the side, residual blocks on the way up.
final class UNet2DLevel: Sendable {
  let level: Int
  let down: [UNet2DLayer]
  let downsample: Downsample2D?
  let inner: UNet2DLevel?
  let middle: UNet2DMiddle?
  /// Brings the level below to this level's size; its parameters belong to the block below.
  let upsample: Upsample2D?
  let up: [UNet2DLayer]

  init(_ configuration: UNet2DConditionConfiguration, level: Int, input: Int, signal: Int, weights: Weights) {
    let channels = configuration.blockChannels[level]
    let last = configuration.blockChannels.count - 1
    let downWeights = weights["down_blocks", level]
    let upWeights = weights["up_blocks", last - level]
    let count = configuration.layersPerBlock[level]
    func layer(_ weights: Weights, _ index: Int, _ input: Int, attends: Bool, depth: Int) -> UNet2DLayer {
      UNet2DLayer(configuration, level: level, index: index, input: input, signal: signal, attends: attends, depth: depth, weights: weights)
    }
    self.level = level
    down = (0..<count).map {
      layer(
        downWeights, $0, $0 == 0 ? input : channels, attends: configuration.downAttends[level], depth: configuration.downDepths[level])
    }
    if level == last {
      (downsample, inner, upsample) = (nil, nil, nil)
      middle = UNet2DMiddle(configuration, channels: channels, signal: signal, weights: weights["mid_block"])
    } else {
      downsample = Downsample2D(downWeights["downsamplers", 0], channels: channels)
      inner = UNet2DLevel(configuration, level: level + 1, input: channels, signal: signal, weights: weights)
      upsample = Upsample2D(weights["up_blocks", last - level - 1, "upsamplers", 0], channels: configuration.blockChannels[level + 1])
      middle = nil
    }
    let below = configuration.blockChannels[min(level + 1, last)]
    up = (0...count).map { index in
      let skip = index == count ? input : channels
      return layer(
        upWeights, index, (index == 0 ? below : channels) + skip, attends: configuration.upAttends[level],
        depth: configuration.upDepths[level])
    }
  }

  /// - Parameter skip: number of the level's input among all skip connections, by which a ControlNet counts its residuals.
  func callAsFunction(_ input: Tensor, skip: Int, _ state: UNet2DState) throws -> Tensor {
    var skips = [input]
    var hidden = input
    for layer in down {
      hidden = try layer(hidden, state)
      skips.append(hidden)
    }
    hidden = try state.evaluation.site(Site("levels.\(level).inner", .inner, depth: level), hidden) {
      try deeper($0, skip: skip + down.count + 1, state)
    }
    if let residuals = state.residuals { skips = try residuals.added(to: skips, from: skip) }
    for layer in up { hidden = try layer(.cat([hidden, skips.removeLast()], dim: 1), state) }
    return hidden
  }

  private func deeper(_ input: Tensor, skip: Int, _ state: UNet2DState) throws -> Tensor {
    guard let inner, let downsample, let upsample else {
      let hidden = try middle.map { try $0(input, state) } ?? input
      return state.residuals?.middle.map { hidden + $0 } ?? hidden
    }
    return upsample(try inner(downsample(input), skip: skip, state), size: [input.size(2), input.size(3)])
  }
}

/// A residual block and, at some levels, a transformer over the pixels.
struct UNet2DLayer: Sendable {
  let residual: ResidualBlock2D
  let transformer: PixelTransformer?
  let path: String
  let level: Int

  init(
    _ configuration: UNet2DConditionConfiguration, level: Int, index: Int, input: Int, signal: Int, attends: Bool, depth: Int,
    weights: Weights
  ) {
    let channels = configuration.blockChannels[level]
    let scope = weights["resnets", index]
    residual = ResidualBlock2D(
      scope, input, channels, signal: signal, groups: configuration.groups, epsilon: configuration.epsilon,
      outputScale: configuration.residualScale)
    transformer =
      attends
      ? PixelTransformer(
        weights["attentions", index], channels: channels,
        shape: configuration.transformer(level, depth: depth, onlyCross: configuration.onlyCrossAttention[level])) : nil
    path = scope.path
    self.level = level
  }

  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> Tensor {
    let hidden = try state.evaluation.site(Site(path, .residual, depth: level), input) { residual($0, signal: state.signal) }
    return try transformer?(hidden, context: state.context, mask: state.mask, depth: level, evaluation: state.evaluation) ?? hidden
  }
}

/// The innermost part: a residual block, a transformer, a residual block; or the first of them alone.
struct UNet2DMiddle: Sendable {
  let first: ResidualBlock2D
  let transformer: PixelTransformer?
  let second: ResidualBlock2D?
  let path: String
  let depth: Int

  /// `nil` where the network has no middle.
  init?(_ configuration: UNet2DConditionConfiguration, channels: Int, signal: Int, weights: Weights) {
    guard configuration.middle != .none else { return nil }
    func block(_ index: Int) -> ResidualBlock2D {
      ResidualBlock2D(
        weights["resnets", index], channels, channels, signal: signal, groups: configuration.groups, epsilon: configuration.epsilon,
        outputScale: configuration.middleScale)
    }
    let last = configuration.blockChannels.count - 1
    let attends = configuration.middle == .crossAttention
    first = block(0)
    transformer =
      attends
      ? PixelTransformer(
        weights["attentions", 0], channels: channels,
        shape: configuration.transformer(
          last, depth: configuration.downDepths[last], onlyCross: false)) : nil
    second = attends ? block(1) : nil
    path = weights.path
    depth = last + 1
  }

  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> Tensor {
    var hidden = try state.evaluation.site(Site("\(path).resnets.0", .residual, depth: depth), input) { first($0, signal: state.signal) }
    if let transformer {
      hidden = try transformer(hidden, context: state.context, mask: state.mask, depth: depth, evaluation: state.evaluation)
    }
    guard let second else { return hidden }
    return try state.evaluation.site(Site("\(path).resnets.1", .residual, depth: depth), hidden) { second($0, signal: state.signal) }
  }
}

extension UNet2DConditionConfiguration {
  func transformer(_ level: Int, depth: Int, onlyCross: Bool) -> PixelTransformerShape {
    PixelTransformerShape(
      heads: heads[level], contextSize: contextSizes[level], depth: depth, groups: groups, usesLinearProjection: usesLinearProjection,
      onlyCrossAttention: onlyCross)
  }
}
