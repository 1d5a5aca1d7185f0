/// A vocabulary that cannot be used.
public struct TokenizerError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
