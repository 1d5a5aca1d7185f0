public import QuickstepNN
public import QuickstepTensor

/// A network with every kind of structure a site policy meets (a list of blocks, sites inside the blocks, a nested inner level), small
/// enough for thousands of evaluations in a test. `[B, size] → [B, size]`.
///
///     let network = try ToyNetwork.random(seed: 1)
///     try SitePolicyLaws.checkNeutral("my cache", model: network.callAsFunction, initial: network.sample(seed: 2)) {
///       MyCache(threshold: 0)
///     }
public struct ToyNetwork: Sendable {
  /// Channels.
  public let size: Int
  let blocks: [ToyBlock]
  let down: Linear
  let middle: Linear
  let up: Linear

  /// Sites: `blocks.<i>` with `blocks.<i>.attn` and `blocks.<i>.ff`, then `levels.0.inner`.
  public init(size: Int = 8, blocks: Int = 4, weights: Weights) {
    self.size = size
    self.blocks = (0..<max(0, blocks)).map { ToyBlock(weights["blocks", $0], size: size) }
    down = Linear(weights["down"], size, 2 * size)
    middle = Linear(weights["middle"], 2 * size, 2 * size)
    up = Linear(weights["up"], 2 * size, size)
  }

  /// A network with random parameters.
  public static func random(size: Int = 8, blocks: Int = 4, seed: UInt64) throws -> ToyNetwork {
    let made = try Weights.initialise(generator: Generator(seed: seed)) { ToyNetwork(size: size, blocks: blocks, weights: $0) }
    try ModelLaws.disturb(made.parameters, seed: seed &+ 1)
    return made.model
  }

  /// A random input of two samples.
  public func sample(seed: UInt64) throws -> Tensor { .randn([2, size], generator: try Generator(seed: seed)) }

  /// One evaluation; the timestep is that of the evaluation's level.
  public func callAsFunction(_ sample: Tensor, evaluation: Evaluation) throws -> Tensor {
    let time = TimestepFeatures.make(Tensor(scalar: Float(evaluation.context.level.timestep)).reshape([1]), size: size)
    let hidden = try evaluation.sequence("blocks", count: blocks.count, sample + time) { index, value in
      try blocks[index](value, path: "blocks.\(index)", depth: index, evaluation: evaluation)
    }
    return hidden + (try evaluation.site(Site("levels.0.inner", .inner, depth: 0), hidden) { up(middle(down($0).silu()).silu()) })
  }
}

struct ToyBlock: Sendable {
  let mix: Linear
  let feedForward: FeedForward

  init(_ weights: Weights, size: Int) {
    mix = Linear(weights["attn"], size, size)
    feedForward = FeedForward(weights["ff"], size: size, hidden: 2 * size)
  }

  func callAsFunction(_ input: Tensor, path: String, depth: Int, evaluation: Evaluation) throws -> Tensor {
    let mixed = input + (try evaluation.site(Site("\(path).attn", .attention, depth: depth), input) { mix($0).tanh() })
    return mixed + (try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), mixed) { feedForward($0) })
  }
}
