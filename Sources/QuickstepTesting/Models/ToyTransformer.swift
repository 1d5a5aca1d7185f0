public import QuickstepNN
public import QuickstepTensor

/// A transformer on tokens whose attentions tell how they attend, small enough for thousands of evaluations in a test: what ``ToyNetwork`` is to
/// policies on whole values, for those that choose tokens. Blocks as in DiT (Peebles & Xie 2023, arXiv 2212.09748). `[B, N, C] → [B, N, C]`.
public struct ToyTransformer: Sendable {
  /// Channels of a token.
  public let size: Int
  /// Tokens from top to bottom and from left to right.
  public let rows: Int, columns: Int
  let blocks: [ToyTransformerBlock]

  /// - Parameters:
  ///   - size: channels of a token.
  ///   - rows: of tokens.
  ///   - columns: of tokens.
  public init(size: Int = 8, heads: Int = 2, blocks: Int = 3, rows: Int = 4, columns: Int = 4, weights: Weights) {
    (self.size, self.rows, self.columns) = (size, rows, columns)
    self.blocks = (0..<max(0, blocks)).map { ToyTransformerBlock(weights["blocks", $0], size: size, heads: heads) }
  }

  /// A network with random parameters.
  public static func random(blocks: Int = 3, rows: Int = 4, columns: Int = 4, seed: UInt64) throws -> ToyTransformer {
    let made = try Weights.initialise(generator: Generator(seed: seed)) {
      ToyTransformer(blocks: blocks, rows: rows, columns: columns, weights: $0)
    }
    try ModelLaws.disturb(made.parameters, seed: seed &+ 1)
    return made.model
  }

  /// A random input of two samples.
  public func sample(seed: UInt64) throws -> Tensor { .randn([2, rows * columns, size], generator: try Generator(seed: seed)) }

  /// One evaluation, told the timestep of the evaluation's level.
  public func callAsFunction(_ sample: Tensor, evaluation: Evaluation) throws -> Tensor {
    let time = TimestepFeatures.make(Tensor(scalar: Float(evaluation.context.level.timestep)).reshape([1]), size: size)
    return try self(sample, condition: time, evaluation: evaluation)
  }

  /// One evaluation.
  /// - Parameter condition: what modulates the blocks, `[B or 1, C]`.
  public func callAsFunction(_ sample: Tensor, condition: Tensor, evaluation: Evaluation) throws -> Tensor {
    try evaluation.sequence("blocks", count: blocks.count, sample) { index, value in
      try blocks[index](value, condition: condition, path: "blocks.\(index)", depth: index, evaluation: evaluation)
    }
  }

  /// The sites of an evaluation, in the order in which they are visited.
  public var sites: [Site] { Site.blocks([(BlockRun("blocks", count: blocks.count), [("attn", .attention), ("ff", .feedForward)])]) }
  /// What its tokens allow.
  public var tokenTraits: TokenTraits { TokenTraits(separable: [.feedForward], signals: [.received, .values], patch: 1) }
}

struct ToyTransformerBlock: Sendable {
  let norm: LayerNorm
  let attention: Attention
  let feedForward: FeedForward
  let modulation: Linear

  init(_ weights: Weights, size: Int, heads: Int) {
    norm = LayerNorm(weights["norm"], size, affine: false)
    attention = Attention(weights["attn"], size: size, heads: heads)
    feedForward = FeedForward(weights["ff"], size: size, hidden: 4 * size)
    modulation = Linear(weights["adaln"], size, 6 * size)
  }

  func callAsFunction(_ input: Tensor, condition: Tensor, path: String, depth: Int, evaluation: Evaluation) throws -> Tensor {
    let parts = modulation(condition.silu()).unsqueeze(1).chunk(6, dim: -1)
    func modulated(_ value: Tensor, _ first: Int) -> Tensor { parts[first].addcmul(norm(value), tensor2: parts[first + 1] + 1) }
    let attended = try evaluation.attention(Site("\(path).attn", .attention, depth: depth), input) {
      attention(modulated($0, 0), probe: $1)
    }
    let hidden = input.addcmul(parts[2], tensor2: attended)
    let fed = try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), hidden) { feedForward(modulated($0, 3)) }
    return hidden.addcmul(parts[5], tensor2: fed)
  }
}
