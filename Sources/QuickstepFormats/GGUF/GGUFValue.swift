/// One value of a GGUF file's metadata.
public enum GGUFValue: Sendable, Hashable {
  /// Any whole number that fits 64 bits with sign.
  case integer(Int)
  /// A whole number beyond that.
  case unsigned(UInt64)
  /// A floating-point number.
  case number(Double)
  /// `true` or `false`.
  case bool(Bool)
  /// Text.
  case string(String)
  /// Values of one type.
  case array([GGUFValue])

  /// The value, if this is a whole number.
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  /// The elements, if this is an array.
  public var array: [GGUFValue]? { if case .array(let value) = self { value } else { nil } }
  /// The text, if this is a string.
  public var string: String? { if case .string(let value) = self { value } else { nil } }

  /// For people: long arrays are shortened.
  public var text: String {
    switch self {
    case .integer(let value): return String(value)
    case .unsigned(let value): return String(value)
    case .number(let value): return "\(value)"
    case .bool(let value): return value ? "true" : "false"
    case .string(let value): return value
    case .array(let values):
      let shown = values.prefix(8).map(\.text).joined(separator: ", ")
      return values.count > 8 ? "[\(shown), … \(values.count) values]" : "[\(shown)]"
    }
  }
}

extension GGUFValue {
  /// Most elements of one array: vocabularies have a quarter of a million.
  private static let arrayLimit = 1 << 24

  /// Reads a value of the type with this number.
  /// - Parameter key: for messages.
  init(type: UInt32, from cursor: inout ByteCursor, key: String, path: String, depth: Int = 0) throws {
    let what = "the value of '\(key)'"
    switch type {
    case 0: self = .integer(Int(try cursor.integer(UInt8.self, what)))
    case 1: self = .integer(Int(try cursor.integer(Int8.self, what)))
    case 2: self = .integer(Int(try cursor.integer(UInt16.self, what)))
    case 3: self = .integer(Int(try cursor.integer(Int16.self, what)))
    case 4: self = .integer(Int(try cursor.integer(UInt32.self, what)))
    case 5: self = .integer(Int(try cursor.integer(Int32.self, what)))
    case 6: self = .number(Double(Float(bitPattern: try cursor.integer(UInt32.self, what))))
    case 7:
      let byte = try cursor.integer(UInt8.self, what)
      guard byte <= 1 else { throw FormatError(path, "\(what) is the byte \(byte), which is neither true nor false") }
      self = .bool(byte == 1)
    case 8: self = .string(try cursor.text(what))
    case 9: self = .array(try Self.elements(from: &cursor, key: key, path: path, depth: depth))
    case 10:
      let value = try cursor.integer(UInt64.self, what)
      self = Int(exactly: value).map { .integer($0) } ?? .unsigned(value)
    case 11: self = .integer(Int(try cursor.integer(Int64.self, what)))
    case 12: self = .number(Double(bitPattern: try cursor.integer(UInt64.self, what)))
    default: throw FormatError(path, "\(what) is of type \(type); types 0…12 are known")
    }
  }

  private static func elements(from cursor: inout ByteCursor, key: String, path: String, depth: Int) throws -> [GGUFValue] {
    guard depth < 4 else { throw FormatError(path, "the value of '\(key)' nests arrays more than 4 deep") }
    let type = try cursor.integer(UInt32.self, "the element type of '\(key)'")
    // The least that one element takes, by type: an array that claims more elements than bytes is refused before it is read.
    let sizes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8]
    guard sizes.indices.contains(Int(type)) else {
      throw FormatError(path, "the value of '\(key)' is an array of type \(type); types 0…12 are known")
    }
    let count = try cursor.count(of: sizes[Int(type)], limit: arrayLimit, "the length of '\(key)'")
    return try (0..<count).map { _ in try GGUFValue(type: type, from: &cursor, key: key, path: path, depth: depth + 1) }
  }
}
