/// A JSON value. Integers that fit 64 bits stay exact.
public enum JSONValue: Sendable, Hashable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number without fraction and exponent that fits 64 bits.
  case integer(Int)
  /// Any other number.
  case number(Double)
  /// Text, escapes resolved.
  case string(String)
  /// Values in order.
  case array([JSONValue])
  /// Members by key; their order is not kept.
  case object([String: JSONValue])

  /// Reads one value from UTF-8 text, strictly by RFC 8259: no comments, no trailing commas, no repeated keys, no lone surrogates,
  /// nesting at most `depth`.
  /// - Parameter name: the file's path or another name, for messages.
  /// - Throws: `FormatError` with the line and column.
  public init(parsing bytes: UnsafeRawBufferPointer, name: String, depth: Int = 128) throws {
    try self.init(parsing: bytes, name: name, depth: depth, readsNonFinite: false)
  }

  private init(parsing bytes: UnsafeRawBufferPointer, name: String, depth: Int, readsNonFinite: Bool) throws {
    var parser = JSONParser(bytes: bytes, name: name, depthLimit: depth)
    parser.readsNonFinite = readsNonFinite
    self = try parser.parseDocument()
  }

  /// Reads one value from text; see `init(parsing:name:depth:)`.
  public init(parsing text: String, name: String = "JSON", depth: Int = 128) throws {
    let bytes = Array(text.utf8)
    self = try bytes.withUnsafeBytes { try JSONValue(parsing: $0, name: name, depth: depth) }
  }

  /// Reads a whole file; see `init(parsing:name:depth:)`. The words `NaN`, `Infinity` and `-Infinity`, which are in configurations that
  /// Python wrote (`lambda_min_clipped` of schedulers), become strings.
  public init(path: String) throws {
    let file = try MappedFile(path: path)
    self = try withExtendedLifetime(file) { try JSONValue(parsing: file.bytes, name: path, depth: 128, readsNonFinite: true) }
  }

  /// The text, if this is a string.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The value, if this is a boolean.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The elements, if this is an array.
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  /// The members, if this is an object.
  public var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }
  /// The value, if this is a whole number written without fraction and exponent.
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  /// The value, if this is any number.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  /// The member named `key`, if this is an object that has one.
  public subscript(key: String) -> JSONValue? { object?[key] }

  /// Compact text with keys in ascending order of their UTF-8 bytes, so that equal values give equal text.
  /// Numbers that JSON cannot express (infinities, NaN) become `null`.
  public var text: String {
    var result = ""
    append(to: &result)
    return result
  }

  /// `text` as a JSON string literal. Characters outside ASCII stay as they are.
  public static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private func append(to result: inout String) {
    switch self {
    case .null: result += "null"
    case .bool(let value): result += value ? "true" : "false"
    case .integer(let value): result += String(value)
    case .number(let value): result += value.isFinite ? "\(value)" : "null"
    case .string(let value): result += Self.quoted(value)
    case .array(let values):
      result += "["
      for (index, value) in values.enumerated() {
        if index > 0 { result += "," }
        value.append(to: &result)
      }
      result += "]"
    case .object(let members):
      result += "{"
      let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (index, member) in sorted.enumerated() {
        if index > 0 { result += "," }
        result += Self.quoted(member.key) + ":"
        member.value.append(to: &result)
      }
      result += "}"
    }
  }
}
