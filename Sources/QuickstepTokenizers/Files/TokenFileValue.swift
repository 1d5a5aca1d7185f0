/// A JSON value of a tokenizer's file.
///
/// Members keep their order and their bytes. Swift's strings, and dictionaries of them, take texts for equal that Unicode calls equivalent
/// (`é` and `e` with an accent), which are different tokens of one vocabulary.
enum TokenFileValue: Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string([UInt8])
  case array([TokenFileValue])
  case object([(key: [UInt8], value: TokenFileValue)])

  /// The first member of this name; nil when there is none or it is null.
  subscript(_ name: String) -> TokenFileValue? {
    guard case .object(let members) = self else { return nil }
    let key = Array(name.utf8)
    guard let value = members.first(where: { $0.key == key })?.value else { return nil }
    if case .null = value { return nil }
    return value
  }

  var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }
  var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
  var flag: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  var number: Double? { if case .number(let number) = self { number } else { nil } }
  var integer: Int? { number.flatMap { Int(exactly: $0) } }
  var array: [TokenFileValue]? { if case .array(let items) = self { items } else { nil } }
  var members: [(key: [UInt8], value: TokenFileValue)]? { if case .object(let members) = self { members } else { nil } }
}

/// A strict reader of JSON text: the whole text is one value, nesting is limited, strings are valid UTF-8.
struct TokenFileParser {
  private let bytes: [UInt8]
  private var place = 0
  private var depth = 0

  /// - Throws: ``TokenizerError`` with the place in bytes.
  static func parse(_ bytes: [UInt8]) throws -> TokenFileValue {
    var parser = TokenFileParser(bytes: bytes)
    let value = try parser.value()
    parser.skipSpace()
    guard parser.place == bytes.count else { throw parser.error("text after the end") }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func error(_ problem: String) -> TokenizerError { TokenizerError("no valid JSON at byte \(place): \(problem)") }

  private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { place += 1 }
  }

  private mutating func take(_ byte: Character) -> Bool {
    guard current == byte.asciiValue else { return false }
    place += 1
    return true
  }

  private mutating func value() throws -> TokenFileValue {
    skipSpace()
    switch current.map(Unicode.Scalar.init) {
    case "{": return try nested { try $0.object() }
    case "[": return try nested { try $0.array() }
    case "\"": return .string(try string())
    case "t": return try word("true", .bool(true))
    case "f": return try word("false", .bool(false))
    case "n": return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func nested(_ body: (inout TokenFileParser) throws -> TokenFileValue) throws -> TokenFileValue {
    guard depth < 32 else { throw error("nested deeper than 32 levels") }
    depth += 1
    defer { depth -= 1 }
    place += 1
    return try body(&self)
  }

  private mutating func object() throws -> TokenFileValue {
    var members: [(key: [UInt8], value: TokenFileValue)] = []
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      let key = try string()
      skipSpace()
      guard take(":") else { throw error("':' is missing") }
      members.append((key, try value()))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw error("',' or '}' is missing") }
    }
  }

  private mutating func array() throws -> TokenFileValue {
    var items: [TokenFileValue] = []
    skipSpace()
    if take("]") { return .array(items) }
    while true {
      items.append(try value())
      skipSpace()
      if take("]") { return .array(items) }
      guard take(",") else { throw error("',' or ']' is missing") }
    }
  }

  private mutating func word(_ text: String, _ value: TokenFileValue) throws -> TokenFileValue {
    guard bytes[place...].starts(with: text.utf8) else { throw error("unknown word") }
    place += text.utf8.count
    return value
  }

  private mutating func number() throws -> TokenFileValue {
    let start = place
    while let byte = current, (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte) { place += 1 }
    guard place > start, let number = Double(String(decoding: bytes[start..<place], as: UTF8.self)), number.isFinite else {
      throw error("a value is expected")
    }
    return .number(number)
  }

  private mutating func string() throws -> [UInt8] {
    guard take("\"") else { throw error("a string is expected") }
    var result: [UInt8] = []
    while let byte = current {
      place += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard String(validating: result, as: UTF8.self) != nil else { throw error("a string is no UTF-8") }
        return result
      case UInt8(ascii: "\\"): result += Array(String(try escape()).utf8)
      case 0..<0x20: throw error("a control character in a string")
      default: result.append(byte)
      }
    }
    throw error("a string does not end")
  }

  private mutating func escape() throws -> Unicode.Scalar {
    guard let byte = current else { throw error("a string does not end") }
    place += 1
    switch Unicode.Scalar(byte) {
    case "\"", "\\", "/": return Unicode.Scalar(byte)
    case "b": return "\u{8}"
    case "f": return "\u{C}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "u":
      let first = try codeUnit()
      guard (0xD800..<0xDC00).contains(first) else {
        guard let scalar = Unicode.Scalar(first) else { throw error("half a character") }
        return scalar
      }
      guard take("\\"), take("u") else { throw error("half a character") }
      let second = try codeUnit()
      guard (0xDC00..<0xE000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      else { throw error("half a character") }
      return scalar
    default: throw error("unknown escape")
    }
  }

  private mutating func codeUnit() throws -> UInt32 {
    guard place + 4 <= bytes.count, bytes[place..<place + 4].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
      let unit = UInt32(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16)
    else { throw error("an escape without four digits") }
    place += 4
    return unit
  }
}
