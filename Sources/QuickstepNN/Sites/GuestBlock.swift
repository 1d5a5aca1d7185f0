/// A block that is not a network's own and built like one of its list: with weights of its own, run with the network's conditioning.
///
/// The network made it and is the only one that can run it; a policy hands it back in ``SitePolicy/sequence(_:input:context:modulated:guest:block:)``.
public protocol GuestBlock: Sendable {}

/// A guest block was handed to a network that cannot run it.
public struct GuestBlockError: Error, Sendable, CustomStringConvertible {
  public let description: String
  /// An error with this text.
  public init(_ description: String) { self.description = description }
}

extension GuestBlock {
  /// This block as the network's own kind.
  /// - Throws: ``GuestBlockError`` where another kind of network made it.
  public func made<Block>(as type: Block.Type) throws -> Block {
    guard let block = self as? Block else { throw GuestBlockError("a \(Self.self) cannot run among blocks of type \(Block.self)") }
    return block
  }
}
