/// A foreign name of a spacing, together with the parameters that make it the same.
public struct SpacingAlias: Hashable, Sendable, ExpressibleByStringLiteral {
  /// The name as the other tool writes it.
  public let name: String
  /// The tool, if the name is one tool's own.
  public let tool: String?
  /// Parameters the name implies.
  public let parameters: [String: String]

  /// A foreign name.
  public init(_ name: String, tool: String? = nil, parameters: [String: String] = [:]) {
    (self.name, self.tool, self.parameters) = (name, tool, parameters)
  }

  /// A name of several tools that implies nothing.
  public init(stringLiteral name: String) { self.init(name) }
}
