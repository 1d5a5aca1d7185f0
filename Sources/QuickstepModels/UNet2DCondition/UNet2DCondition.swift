public import QuickstepNN
public import QuickstepTensor

/// The U-Net of Stable Diffusion 1.x, 2.x and XL (Rombach et al. 2022, arXiv 2112.10752; Podell et al. 2023, arXiv 2307.01952); diffusers'
/// `UNet2DConditionModel`, with its names of parameters.
///
/// Everything deeper than a skip connection is one site. `[B, C, H, W] → [B, C', H, W]`.
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
  let body: UNet2DBody
  let outputNorm: GroupNorm
  let output: Convolution

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: UNet2DConditionConfiguration, weights: Weights) throws {
    self.configuration = configuration
    let channels = configuration.blockChannels[0]
    time = TimeSignal(configuration, weights: weights)
    promptProjection = configuration.promptSize.map { Linear(weights["encoder_hid_proj"], $0, configuration.contextSizes[0]) }
    let input = Convolution(weights["conv_in"], configuration.inChannels, channels, kernel: configuration.inputKernel)
    body = UNet2DBody(configuration.shape, input: input, signal: time.size, weights: weights)
    outputNorm = GroupNorm(weights["conv_norm_out"], groups: configuration.groups, channels: channels, epsilon: configuration.epsilon)
    output = Convolution(weights["conv_out"], channels, configuration.outChannels, kernel: configuration.outputKernel)
  }

  /// `[in_channels, sample_size, sample_size]`, with 64 where the configuration says no size. Other sizes work as well.
  public var sampleShape: [Int] {
    let side = configuration.sampleSize ?? 64
    return [configuration.inChannels, side, side]
  }
  /// The steps down and up, the middle, everything deeper than a skip connection; residual blocks, attentions and feed-forward layers.
  public var sites: [Site] { body.sites }
  /// 1: odd sizes are met by enlarging to the size that a level came in with, as diffusers does.
  public var sizeMultiple: Int { 1 }

  /// The output's, where the input has more: masks and pictures that inpainting networks are told. Learned variances have no part in it.
  public var stateChannels: Int { min(configuration.inChannels, configuration.outChannels) }
  /// `time_cond_proj_dim`.
  public var guidanceSize: Int? { configuration.guidanceSize }

  /// Needs `sequence`; `pooled` and `timeIDs` for SDXL, `classes` and `guidance` where the configuration says so. Sites are those of ``sites``.
  /// - Throws: ``ComponentError`` without a condition; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation
  ) throws -> Tensor {
    guard let prompt = conditioning.sequence else { throw ComponentError("UNet2DConditionModel needs 'encoder_hidden_states'") }
    let state = UNet2DState(
      signal: try time(timestep, conditioning, dtype: sample.dtype), context: promptProjection.map { $0(prompt) } ?? prompt,
      mask: conditioning.mask?.unsqueeze(1).unsqueeze(1), residuals: conditioning.residuals, evaluation: evaluation)
    let seen = configuration.centersInput ? sample * 2 - 1 : sample
    let hidden = try body(seen, state)
    return output(outputNorm(hidden, activation: .silu))
  }
}

extension UNet2DConditionConfiguration {
  /// The network without what surrounds its levels.
  var shape: UNet2DShape {
    let last = blockChannels.count - 1
    return UNet2DShape(
      channels: blockChannels, layers: layersPerBlock, down: attentions(down, downDepths, headSizes: heads),
      // The reference turns its lists around for the way up, but not this one.
      up: attentions(up, upDepths, headSizes: heads.reversed()),
      // The reference leaves the second block out where nothing stands between the two.
      middleBlocks: middle == .none ? 0 : middle == .residual ? 1 : 2,
      middle: middle == .crossAttention ? transformer(last, depth: downDepths[last], onlyCross: false) : nil, groups: groups,
      epsilon: epsilon, middleScale: middleScale, padsEnd: false)
  }

  private func attentions(_ kinds: [BlockAttention], _ depths: [Int], headSizes: [Int]) -> [UNet2DAttention?] {
    kinds.indices.map { level in
      switch kinds[level] {
      case .cross: transformer(level, depth: depths[level], onlyCross: onlyCrossAttention[level])
      // Here `attention_head_dim` is what it says, the channels of a head; transformers read it as the number of heads.
      case .pixels: .pixels(heads: max(1, blockChannels[level] / headSizes[level]))
      case .none: nil
      }
    }
  }

  private func transformer(_ level: Int, depth: Int, onlyCross: Bool) -> UNet2DAttention {
    var shape = PixelTransformerShape(
      heads: heads[level], contextSize: contextSizes[level], depth: depth, groups: groups, usesLinearProjection: usesLinearProjection,
      onlyCrossAttention: onlyCross)
    guard hasDualConditions else { return .transformer(shape) }
    // The reference hands none of the other settings on to its pairs of transformers.
    (shape.depth, shape.usesLinearProjection, shape.onlyCrossAttention) = (1, false, false)
    return .dual(shape)
  }
}
