/// A file or a piece of data that could not be read or written.
public struct FormatError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file (a path) or, for data in memory, a name given by the caller.
  public let origin: String
  /// What was found and what was expected, in a sentence a user can act on.
  public let reason: String

  /// - Parameters:
  ///   - origin: the file (a path) or a name for data in memory.
  ///   - reason: what was found and what was expected; it follows the origin and a colon.
  public init(_ origin: String, _ reason: String) {
    self.origin = origin
    self.reason = reason
  }

  public var description: String { "\(origin): \(reason)" }
}
