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
  /// Divisor after the blocks of the middle; those of the levels have none.
  var middleScale: Double
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

/// What every part of one evaluation needs.
struct UNet2DState {
  let signal: Tensor
  let context: Tensor?
  let mask: Tensor?
  let residuals: ControlResiduals?
  let evaluation: Evaluation
}

/// Everything between the first convolution and the last: steps down, the middle, steps up, numbered by their skip connections.
///
/// Residual block i of a level is followed, on the way down, by a step that halves the side; on the way up the last residual block of a level is
/// followed by what doubles it.
struct UNet2DBody: Sendable {
  /// Makes a skip connection.
  enum Down: Sendable {
    case input(Convolution)
    case layer(UNet2DLayer)
    case downsample(Downsample2D)
  }

  /// Takes a skip connection.
  struct Up: Sendable {
    let layer: UNet2DLayer
    /// To the level above; its parameters belong to the block below.
    var upsample: Upsample2D?
  }

  let down: [Down]
  let middle: UNet2DMiddle
  /// By skip connection.
  let up: [Up]

  /// - Parameters:
  ///   - input: makes the first skip connection.
  ///   - signal: channels of the embedded time.
  init(_ shape: UNet2DShape, input: Convolution, signal: Int, weights: Weights) {
    var (down, up) = ([Down.input(input)], [Up]())
    var channels = shape.channels[0]
    let last = shape.channels.count - 1
    for level in 0...last {
      let descent = UNet2DDescent(shape, level: level, input: channels, signal: signal, weights: weights)
      down += descent.layers.map { .layer($0) }
      if let downsample = descent.downsample { down.append(.downsample(downsample)) }
      up += Self.ups(shape, level: level, input: channels, signal: signal, weights: weights)
      channels = shape.channels[level]
    }
    middle = UNet2DMiddle(shape, channels: channels, signal: signal, weights: weights["mid_block"])
    (self.down, self.up) = (down, up)
  }

  /// The way up of one level in the order of the skip connections: the last one that is run comes first.
  private static func ups(_ shape: UNet2DShape, level: Int, input: Int, signal: Int, weights: Weights) -> [Up] {
    let last = shape.channels.count - 1
    let (channels, count) = (shape.channels[level], shape.layers[level])
    let scope = weights["up_blocks", last - level]
    let below = shape.channels[min(level + 1, last)]
    let layers = (0...count).map { index in
      UNet2DLayer(
        shape, level: level, index: index, input: (index == 0 ? below : channels) + (index == count ? input : channels), output: channels,
        signal: signal, attention: shape.up[level], weights: scope)
    }
    let upsample = level == 0 ? nil : Upsample2D(scope["upsamplers", 0], channels: channels)
    return layers.reversed().enumerated().map { Up(layer: $1, upsample: $0 == 0 ? upsample : nil) }
  }

  /// - Parameter input: `[B, C, H, W]`, what the first convolution takes.
  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> Tensor {
    try state.residuals?.check(skips: down.count)
    return try state.evaluation.nest(input, count: down.count) { index, hidden in
      switch down[index] {
      case .input(let convolution): convolution(hidden)
      case .layer(let layer): try layer(hidden, state)
      case .downsample(let downsample): downsample(hidden)
      }
    } middle: { hidden in
      let hidden = try middle(hidden, state)
      return state.residuals?.middle.map { hidden + $0 } ?? hidden
    } up: { index, below, skip, outer in
      let hidden = try up[index].layer(.cat([below, state.residuals?.added(to: skip, at: index) ?? skip], dim: 1), state)
      return up[index].upsample.map { $0(hidden, size: Array(outer.suffix(2))) } ?? hidden
    }
  }

  /// The sites of an evaluation, in the order in which they are visited.
  var sites: [Site] {
    Site.nest(
      count: down.count,
      down: { if case .layer(let layer) = down[$0] { layer.sites } else { [] } },
      middle: middle.sites, up: { up[$0].layer.sites })
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
    residual = ResidualBlock2D(scope, input, output, signal: signal, groups: shape.groups, epsilon: shape.epsilon)
    self.attention = attention.map {
      UNet2DAttentionLayer($0, shape, channels: output, scale: 1, weights: weights["attentions", index])
    }
    path = scope.path
    self.level = level
  }

  var sites: [Site] { [Site(path, .residual, depth: level)] + (attention?.sites(depth: level) ?? []) }

  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> Tensor {
    let hidden = try state.evaluation.site(Site(path, .residual, depth: level), input, shortcut: residual.shortcut(of:)) {
      residual($0, signal: state.signal)
    }
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

  func sites(depth: Int) -> [Site] {
    switch self {
    case .transformer(let transformer): transformer.sites(depth: depth)
    case .dual(let transformers): transformers.sites(depth: depth)
    case .pixels(_, let path): [Site(path, .attention, depth: depth)]
    }
  }

  func callAsFunction(_ input: Tensor, depth: Int, _ state: UNet2DState) throws -> Tensor {
    switch self {
    case .transformer(let transformer):
      try transformer(input, context: state.context, mask: state.mask, depth: depth, evaluation: state.evaluation)
    case .dual(let transformers): try transformers(input, context: state.context, depth: depth, evaluation: state.evaluation)
    case .pixels(let attention, let path):
      attention.added(try state.evaluation.site(Site(path, .attention, depth: depth), input) { attention.change(of: $0) }, to: input)
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

  var sites: [Site] {
    let residuals = blocks.indices.map { Site("\(path).resnets.\($0)", .residual, depth: depth) }
    guard let first = residuals.first else { return [] }
    return [first] + (attention?.sites(depth: depth) ?? []) + residuals.dropFirst()
  }

  func callAsFunction(_ input: Tensor, _ state: UNet2DState) throws -> Tensor {
    var hidden = input
    for (index, block) in blocks.enumerated() {
      hidden = try state.evaluation.site(Site("\(path).resnets.\(index)", .residual, depth: depth), hidden, shortcut: block.shortcut(of:)) {
        block($0, signal: state.signal)
      }
      if index == 0, let attention { hidden = try attention(hidden, depth: depth, state) }
    }
    return hidden
  }
}
