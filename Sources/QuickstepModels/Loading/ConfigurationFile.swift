internal import Foundation
public import QuickstepFormats

/// A `config.json` as diffusers writes it: an object with `_class_name`, keys that start with `_` being notes and not settings.
public struct ConfigurationFile: Sendable {
  /// For messages. A configuration that is part of another file says so here in words.
  public let path: String
  /// All members of the object, notes included.
  public let members: [String: JSONValue]

  /// - Throws: `FormatError` naming the file when it cannot be read or is no JSON object.
  public init(path: String) throws {
    guard let members = try JSONValue(path: path).object else { throw FormatError(path, "is not a JSON object") }
    self.init(path: path, members: members)
  }

  /// A configuration that is not in a file of its own.
  /// - Parameters:
  ///   - path: what messages call it.
  ///   - members: all members, `_class_name` among them.
  public init(path: String, members: [String: JSONValue]) {
    self.path = path
    self.members = members
  }

  /// The architecture's name.
  public var className: String? { members["_class_name"]?.string ?? members["architectures"]?.array?.first?.string }

  /// Reads the settings as `Value`, refusing keys that it does not know: a setting without effect would be a silent error.
  /// - Throws: `FormatError` naming the file and the unknown, missing or mistyped key.
  public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try JSONDecoding.decode(type, from: .object(members.filter { !$0.key.hasPrefix("_") }), name: path)
  }

  /// The text of a configuration for `className`, keys sorted.
  public static func text<Value: Codable>(_ className: String, _ value: Value) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let object = try JSONValue(parsing: String(decoding: encoder.encode(value), as: UTF8.self)).object ?? [:]
    let merged = object.merging(["_class_name": .string(className)]) { first, _ in first }
    return try pretty(.object(merged))
  }

  /// Indented JSON with sorted keys and a final newline.
  public static func pretty(_ value: JSONValue) throws -> String {
    let object = try JSONSerialization.jsonObject(with: Data(value.text.utf8))
    let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}
