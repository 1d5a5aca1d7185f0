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
  let down: [Linear]
  let middle: Linear
  let up: [Linear]

  /// Sites: `blocks.<i>` with `blocks.<i>.attn` and `blocks.<i>.ff`, then a U-Net of two skip connections.
  public init(size: Int = 8, blocks: Int = 4, weights: Weights) {
    self.size = size
    self.blocks = (0..<max(0, blocks)).map { ToyBlock(weights["blocks", $0], size: size) }
    down = [Linear(weights["down", 0], size, size), Linear(weights["down", 1], size, 2 * size)]
    middle = Linear(weights["middle"], 2 * size, 2 * size)
    up = [Linear(weights["up", 0], 2 * size, size), Linear(weights["up", 1], 4 * size, size)]
  }

  /// A network with random parameters.
  public static func random(size: Int = 8, blocks: Int = 4, seed: UInt64) throws -> ToyNetwork {
    let made = try Weights.initialise(generator: Generator(seed: seed)) { ToyNetwork(size: size, blocks: blocks, weights: $0) }
    try ModelLaws.disturb(made.parameters, seed: seed &+ 1)
    return made.model
  }

  /// A random input of two samples.
  public func sample(seed: UInt64) throws -> Tensor { .randn([2, size], generator: try Generator(seed: seed)) }

  /// One evaluation; the timestep is that of the evaluation's level, or of each sample's where they have levels of their own.
  public func callAsFunction(_ sample: Tensor, evaluation: Evaluation) throws -> Tensor {
    let levels = evaluation.context.sampleLevels ?? [evaluation.context.level]
    let times = Tensor(levels.map { Float($0.timestep) })
    let time = TimestepFeatures.make(levels.count > 1 ? times.repeated([sample.size(0) / levels.count]) : times, size: size)
    let hidden = try evaluation.sequence(
      "blocks", count: blocks.count, sample + time, modulated: { blocks.first?.modulated($0) ?? $0 },
      guest: { try $0.made(as: ToyBlock.self)($1, path: "guest", depth: 0, evaluation: evaluation.unwatched) }
    ) { index, value in
      try blocks[index](value, path: "blocks.\(index)", depth: index, evaluation: evaluation)
    }
    let shaped = try evaluation.nest(hidden, count: 2) {
      down[$0]($1).silu()
    } middle: {
      middle($0).silu()
    } up: { index, below, skip, _ in
      up[index](.cat([below, skip], dim: 1)).tanh()
    }
    return hidden + shaped
  }

  /// A block like those of the list, with weights of its own.
  public func guestBlock(weights: Weights) -> any GuestBlock { ToyBlock(weights, size: size) }

  /// The sites of an evaluation, in the order in which they are visited.
  public var sites: [Site] {
    Site.blocks([(BlockRun("blocks", count: blocks.count), [("attn", .attention), ("ff", .feedForward)])])
      + Site.nest(count: 2, down: { _ in [] }, middle: [], up: { _ in [] })
  }
}

struct ToyBlock: GuestBlock {
  let mix: Linear
  let feedForward: FeedForward

  init(_ weights: Weights, size: Int) {
    mix = Linear(weights["attn"], size, size)
    feedForward = FeedForward(weights["ff"], size: size, hidden: 2 * size)
  }

  func modulated(_ input: Tensor) -> Tensor { input * 2 }

  func callAsFunction(_ input: Tensor, path: String, depth: Int, evaluation: Evaluation) throws -> Tensor {
    let mixed = input + (try evaluation.site(Site("\(path).attn", .attention, depth: depth), input) { mix($0).tanh() })
    return mixed + (try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), mixed) { feedForward($0) })
  }
}
