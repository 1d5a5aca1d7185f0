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
    /// Everything of a U-Net deeper than `depth`, between the way down and the way up at that level.
    case inner
    /// A residual block of a convolutional network.
    case residual
  }

  /// Dotted path as in the checkpoint, such as `blocks.3.attn1`.
  public var path: String
  /// What the site encloses.
  public var kind: Kind
  /// Index of the block in its list, or level of a U-Net (0 is the outermost).
  public var depth: Int

  /// - Parameters:
  ///   - path: dotted path as in the checkpoint.
  ///   - kind: what the site encloses.
  ///   - depth: index of the block in its list, or level of a U-Net.
  public init(_ path: String, _ kind: Kind, depth: Int) {
    self.path = path
    self.kind = kind
    self.depth = depth
  }

  public var description: String { "\(path) (\(kind.rawValue))" }
}
