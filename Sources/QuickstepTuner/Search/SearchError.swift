/// A search could not be set up or go on: an impossible space, a candidate outside of it, a problem that always fails.
public struct SearchError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was wrong, with the offending value and what is allowed.
  public let description: String
  /// Creates the error from its message.
  public init(_ description: String) { self.description = description }
}
