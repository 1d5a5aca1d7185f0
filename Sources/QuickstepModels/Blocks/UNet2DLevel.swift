import QuickstepNN
import QuickstepTensor

/// Levels of a U-Net in diffusers' form, without what stands before and after them.
struct UNet2DShape: Sendable {
  /// Channels and residual blocks of each level, outermost first; on the way up there is one more block.
  var channels: [Int], layers: [Int]
  /// What follows each residual block, down and up; `nil` for none.
  var down: [UNet2DAttention?], up: [UNet2DAttention?]
  /// Residual blocks in the middle, and what stands between the first two.
  var middleBlocks: Int, middle: UNet2DAttention?
  var groups: Int, epsilon: Double
  var residualScale: Double, middleScale: Double
  /// Zeros only right and below where sides are halved (DDPM's own networks).
  var padsEnd: Bool
}

/// What can follow a residual block.
enum UNet2DAttention: Sendable {
  /// Transformer blocks with cross-attention.
  case transformer(PixelTransformerShape)
  /// Two transformers, one for each part of the condition.
  case dual(PixelTransformerShape)
  /// Self-attention over the pixels with this many heads.
  case pixels(heads: Int)
}

/// What every level of one evaluation needs.
struct UNet2DState {
  let signal: Tensor
  let context: Tensor?
  let mask: Tensor?
  let residuals: ControlResiduals?
  let evaluation: Evaluation
}

/// Level k: residual blocks on the way down, the level below at half the side, residual blocks on the way up.
final class UNet2DLevel: Sendable {
  let level: Int
  let down: UNet2DDescent
  let inner: UNet2DLevel?
  let middle: UNet2DMiddle?
  /// Brings the level below to this level's size; its parameters belong to the block below.
  let upsample: Upsample2D?
  let up: [UNet2DLayer]

  init(_ shape: UNet2DShape, level: Int, input: Int, signal: Int, weights: Weights) {
    let channels = shape.channels[level]
    let last = shape.channels.count - 1
    let upWeights = weights["up_blocks", last - level]
    let count = shape.layers[level]
    self.level = level
    down = UNet2DDescent(shape, level: level, input: input, signal: signal, weights: weights)
    if level == last {
      (inner, upsample) = (nil, nil)
      middle = UNet2DMiddle(shape, channels: channels, signal: signal, weights: weights["mid_block"])
    } else {
      inner = UNet2DLevel(shape, level: level + 1, input: channels, signal: signal, weights: weights)
      upsample = Upsample2D(weights["up_blocks", last - level - 1, "upsamplers", 0], channels: shape.channels[level + 1])
      middle = nil
    }
    let below = shape.channels[min(level + 1, last)]
    up = (0...count).map { index in
      UNet2DLayer(
        shape, level: level, index: index, input: (index == 0 ? below : channels) + (index == count ? input : channels), output: channels,
        signal: signal, attention: shape.up[level], weights: upWeights)
    }
  }

  /// - Parameter skip: number of the level's input among all skip connections, by which a ControlNet counts its residuals.
  func callAsFunction(_ input: Tensor, skip: Int, _ state: UNet2DState) throws -> Tensor {
    var skips = [input] + (try down(input, state))
    var hidden = try state.evaluation.site(Site("levels.\(level).inner", .inner, depth: level), skips[skips.count - 1]) {
      try deeper($0, skip: skip + skips.count, state)
    }
    if let residuals = state.residuals { skips = try residuals.added(to: skips, from: skip) }
    for layer in up { hidden = try layer(.cat([hidden, skips.removeLast()], dim: 1), state) }
    return hidden
  }

  private func deeper(_ input: Tensor, skip: Int, _ state: UNet2DState) throws -> Tensor {
    guard let inner, let downsample = down.downsample, let upsample else {
      let hidden = try middle.map { try $0(input, state) } ?? input
      return state.residuals?.middle.map { hidden + $0 } ?? hidden
    }
    return upsample(try inner(downsample(input), skip: skip, state), size: [input.size(2), input.size(3)])
  }
}

/// The way down of one level, which a U-Net shares with its ControlNet.
struct UNet2DDescent: Sendable {
  let layers: [UNet2DLayer]
  /// To the level below; `nil` at the innermost one.
  let downsample: Downsample2D?

  init(_ shape: UNet2DShape, level: Int, input: Int, signal: Int, weights: Weights) {
    let scope = weights["down_blocks", level]
    let channels = shape.channels[level]
    layers = (0..<shape.layers[level]).map { index in
      UNet2DLayer(
        shape, level: level, index: index, input: index == 0 ? input : channels, output: channels, signal: signal,
        attention: shape.down[level], weights: scope)
    }
    let isLast = level == shape.channels.count - 1
    downsample = isLast ? nil : Downsample2D(scope["downsamplers", 0], channels: channels, padsEnd: shape.padsEnd)
  }

  /// What each layer gives, in order.
  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> [Tensor] {
    var outputs: [Tensor] = []
    for layer in layers { outputs.append(try layer(outputs.last ?? input, state)) }
    return outputs
  }
}

/// A residual block and, at some levels, attention.
struct UNet2DLayer: Sendable {
  let residual: ResidualBlock2D
  let attention: UNet2DAttentionLayer?
  let path: String
  let level: Int

  init(
    _ shape: UNet2DShape, level: Int, index: Int, input: Int, output: Int, signal: Int, attention: UNet2DAttention?, weights: Weights
  ) {
    let scope = weights["resnets", index]
    residual = ResidualBlock2D(
      scope, input, output, signal: signal, groups: shape.groups, epsilon: shape.epsilon, outputScale: shape.residualScale)
    self.attention = attention.map {
      UNet2DAttentionLayer($0, shape, channels: output, scale: shape.residualScale, weights: weights["attentions", index])
    }
    path = scope.path
    self.level = level
  }

  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> Tensor {
    let hidden = try state.evaluation.site(Site(path, .residual, depth: level), input) { residual($0, signal: state.signal) }
    return try attention?(hidden, depth: level, state) ?? hidden
  }
}

/// Any kind of attention. `[B, C, H, W] → [B, C, H, W]`.
enum UNet2DAttentionLayer: Sendable {
  case transformer(PixelTransformer)
  case dual(DualPixelTransformer)
  case pixels(PixelAttention, path: String)

  init(_ kind: UNet2DAttention, _ shape: UNet2DShape, channels: Int, scale: Double, weights: Weights) {
    switch kind {
    case .transformer(let transformer): self = .transformer(PixelTransformer(weights, channels: channels, shape: transformer))
    case .dual(let transformer): self = .dual(DualPixelTransformer(weights, channels: channels, shape: transformer))
    case .pixels(let heads):
      let attention = PixelAttention(
        weights, channels: channels, heads: heads, groups: shape.groups, epsilon: shape.epsilon, outputScale: scale)
      self = .pixels(attention, path: weights.path)
    }
  }

  func callAsFunction(_ input: Tensor, depth: Int, _ state: UNet2DState) throws -> Tensor {
    switch self {
    case .transformer(let transformer):
      try transformer(input, context: state.context, mask: state.mask, depth: depth, evaluation: state.evaluation)
    case .dual(let transformers): try transformers(input, context: state.context, depth: depth, evaluation: state.evaluation)
    case .pixels(let attention, let path):
      try state.evaluation.site(Site(path, .attention, depth: depth), input) { attention($0) }
    }
  }
}

/// The innermost part: a residual block, attention, a residual block; or fewer of them.
struct UNet2DMiddle: Sendable {
  let blocks: [ResidualBlock2D]
  let attention: UNet2DAttentionLayer?
  let path: String
  let depth: Int

  init(_ shape: UNet2DShape, channels: Int, signal: Int, weights: Weights) {
    blocks = (0..<shape.middleBlocks).map {
      ResidualBlock2D(
        weights["resnets", $0], channels, channels, signal: signal, groups: shape.groups, epsilon: shape.epsilon,
        outputScale: shape.middleScale)
    }
    attention = shape.middle.map {
      UNet2DAttentionLayer($0, shape, channels: channels, scale: shape.middleScale, weights: weights["attentions", 0])
    }
    path = weights.path
    depth = shape.channels.count
  }

  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> Tensor {
    var hidden = input
    for (index, block) in blocks.enumerated() {
      hidden = try state.evaluation.site(Site("\(path).resnets.\(index)", .residual, depth: depth), hidden) {
        block($0, signal: state.signal)
      }
      if index == 0, let attention { hidden = try attention(hidden, depth: depth, state) }
    }
    return hidden
  }
}
