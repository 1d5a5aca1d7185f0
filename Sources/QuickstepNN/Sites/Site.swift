/// A named point inside a backbone where a policy may act: run the computation, reuse or forecast its result, look at it.
public struct Site: Hashable, Sendable, CustomStringConvertible {
  /// What the site encloses. Policies choose sites by kind and depth, never by a model's name.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// One whole block of a list.
    case block
    /// Self-attention with its normalisation, without the residual sum.
    case attention
    /// Attention to the prompt with its normalisation, without the residual sum.
    case crossAttention
    /// The feed-forward layers with their normalisation, without the residual sum.
    case feedForward
    /// Attention and feed-forward layers side by side with the projection that joins them, without the residual sum.
    case parallel
    /// One step of a U-Net's way down; makes the skip connection number `depth`.
    case down
    /// Everything of a U-Net deeper than the skip connection number `depth`; its output is what the layer that takes this connection gets.
    case inner
    /// What stands between the ways down and up of a U-Net.
    case middle
    /// One step of a U-Net's way up; takes the skip connection number `depth`.
    case up
    /// A residual block of a convolutional network.
    case residual
    /// A network beside the backbone that adds to its skip connections.
    case control
  }

  /// Dotted path as in the checkpoint, such as `blocks.3.attn1`.
  public var path: String
  /// What the site encloses.
  public var kind: Kind
  /// Index of the block in its list (one list for all kinds of blocks), or number of a U-Net's skip connection (0 is the outermost, made by
  /// the first convolution); inside U-Nets the level.
  public var depth: Int

  /// - Parameters:
  ///   - path: dotted path as in the checkpoint.
  ///   - kind: what the site encloses.
  ///   - depth: index of the block, number of the skip connection, or level.
  public init(_ path: String, _ kind: Kind, depth: Int) {
    self.path = path
    self.kind = kind
    self.depth = depth
  }

  public var description: String { "\(path) (\(kind.rawValue))" }
}

extension Site {
  /// Sites of the modules of one block: `path.name`.
  public static func modules(_ path: String, depth: Int, _ modules: [(name: String, kind: Kind)]) -> [Site] {
    modules.map { Site("\(path).\($0.name)", $0.kind, depth: depth) }
  }

  /// Sites of a list of blocks, each block before its modules.
  public static func blocks(_ runs: [(run: BlockRun, modules: [(name: String, kind: Kind)])]) -> [Site] {
    let modules = runs.flatMap { Array(repeating: $0.modules, count: $0.run.count) }
    return zip(BlockRun.sites(runs.map(\.run)), modules).flatMap { [$0] + Site.modules($0.path, depth: $0.depth, $1) }
  }

  /// Sites of ``Evaluation/nest(_:count:down:middle:up:)`` with those inside its steps, in the order in which they are visited.
  public static func nest(count: Int, down: (Int) -> [Site], middle: [Site], up: (Int) -> [Site]) -> [Site] {
    var sites: [Site] = []
    for index in 0..<count {
      sites += [Site("down.\(index)", .down, depth: index)] + down(index) + [Site("inner.\(index)", .inner, depth: index)]
    }
    sites += [Site("middle", .middle, depth: count)] + middle
    for index in (0..<count).reversed() { sites += [Site("up.\(index)", .up, depth: index)] + up(index) }
    return sites
  }
}
