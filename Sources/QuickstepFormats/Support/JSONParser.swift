import Foundation

/// A strict reader of JSON text. Foundation's reader merges repeated keys silently and has no limit on nesting; headers of weight files
/// come from strangers and need both.
struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  let name: String
  let depthLimit: Int
  /// Whether `NaN`, `Infinity` and `-Infinity`, which Python's writer makes of numbers that JSON does not have, are read as strings.
  var readsNonFinite = false
  private var position = 0
  private var depth = 0

  init(bytes: UnsafeRawBufferPointer, name: String, depthLimit: Int) {
    self.bytes = bytes
    self.name = name
    self.depthLimit = depthLimit
  }

  mutating func parseDocument() throws -> JSONValue {
    skipSpace()
    let value = try parseValue()
    skipSpace()
    guard position == bytes.count else { throw error("text after the end of the JSON value") }
    return value
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func error(_ reason: String) -> FormatError {
    let before = bytes.prefix(position)
    let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
    let column = position - (before.lastIndex(of: 0x0A) ?? -1)
    return FormatError(name, "JSON, line \(line), column \(column): \(reason)")
  }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func parseValue() throws -> JSONValue {
    switch next {
    case UInt8(ascii: "{"): return try nested { try $0.parseObject() }
    case UInt8(ascii: "["): return try nested { try $0.parseArray() }
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case nil: throw error("the text ends where a value is expected")
    default:
      if readsNonFinite, let word = ["NaN", "Infinity", "-Infinity"].first(where: { bytes[position...].starts(with: $0.utf8) }) {
        position += word.utf8.count
        return .string(word)
      }
      return try parseNumber()
    }
  }

  private mutating func nested(_ body: (inout JSONParser) throws -> JSONValue) throws -> JSONValue {
    guard depth < depthLimit else { throw error("nested deeper than \(depthLimit) levels") }
    depth += 1
    position += 1
    skipSpace()
    let value = try body(&self)
    depth -= 1
    return value
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
    let count = word.utf8CodeUnitCount
    guard bytes.count - position >= count, (0..<count).allSatisfy({ word.utf8Start[$0] == bytes[position + $0] }) else {
      throw error("unknown word")
    }
    position += count
    return value
  }

  private mutating func parseArray() throws -> JSONValue {
    var values: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return .array(values) }
    while true {
      skipSpace()
      values.append(try parseValue())
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(values) }
      guard take(UInt8(ascii: ",")) else { throw error("expected ',' or ']'") }
    }
  }

  private mutating func parseObject() throws -> JSONValue {
    var members: [String: JSONValue] = [:]
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("expected a key in quotes") }
      let key = try parseString()
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw error("expected ':' after the key \"\(key)\"") }
      skipSpace()
      let value = try parseValue()
      guard members.updateValue(value, forKey: key) == nil else { throw error("the key \"\(key)\" appears twice") }
      skipSpace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else { throw error("expected ',' or '}'") }
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  // MARK: Strings

  private mutating func parseString() throws -> String {
    position += 1
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
    if next == UInt8(ascii: "\"") {
      let text = try decoded(bytes[start..<position])
      position += 1
      return text
    }
    return try parseStringWithEscapes(prefix: Array(bytes[start..<position]))
  }

  private func decoded(_ utf8: some Collection<UInt8>) throws -> String {
    guard let text = String(validating: utf8, as: UTF8.self) else { throw error("a string that is not UTF-8") }
    return text
  }

  private mutating func parseStringWithEscapes(prefix: [UInt8]) throws -> String {
    var utf8 = prefix
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return try decoded(utf8)
      case UInt8(ascii: "\\"): utf8.append(contentsOf: try parseEscape())
      case 0..<0x20: throw error("a control character inside a string")
      default: utf8.append(byte)
      }
    }
    throw error("a string without its closing quote")
  }

  private mutating func parseEscape() throws -> [UInt8] {
    guard let byte = next else { throw error("a string without its closing quote") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return Array(String(try parseUnicodeEscape()).utf8)
    default: throw error("unknown escape in a string")
    }
  }

  private mutating func parseUnicodeEscape() throws -> Unicode.Scalar {
    var value = try parseHex()
    if value & 0xFC00 == 0xD800, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
      let low = try parseHex()
      guard low & 0xFC00 == 0xDC00 else { throw error("half of a surrogate pair") }
      value = 0x10000 + (value & 0x3FF) << 10 + low & 0x3FF
    }
    guard let scalar = Unicode.Scalar(value) else { throw error("half of a surrogate pair") }
    return scalar
  }

  private mutating func parseHex() throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  // MARK: Numbers

  private mutating func parseNumber() throws -> JSONValue {
    let start = position
    var isWhole = true
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try skipDigits() }
    if take(UInt8(ascii: ".")) {
      isWhole = false
      try skipDigits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isWhole = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try skipDigits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw error("the number \(text.prefix(40)) is out of range") }
    return .number(value)
  }

  private mutating func skipDigits() throws {
    let start = position
    while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    guard position > start else { throw error(start == bytes.count ? "the text ends inside a number" : "not a JSON value") }
  }
}
