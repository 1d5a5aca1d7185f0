/// Decodes `Decodable` values from ``JSONValue`` with errors a user can act on, and knows which members nobody asked for.
///
/// Foundation's decoder reports a number that does not fit its type as invalid JSON, without saying which; and it ignores unknown members.
public enum JSONDecoding {
  /// - Parameters:
  ///   - allowsUnknown: whether members that `type` does not read are accepted. They are errors by default: a setting without effect
  ///     would go unnoticed.
  ///   - name: the file's path, for messages.
  /// - Throws: `FormatError` naming the file, the member's path, its value and what was expected.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from json: JSONValue, name: String, allowsUnknown: Bool = false
  ) throws -> Value {
    let usage = MemberUsage()
    let value: Value
    do {
      value = try Value(from: ValueDecoder(json: json, path: [], name: name, usage: usage))
    } catch let error as DecodingError {
      throw FormatError(name, describe(error))
    }
    let unknown = allowsUnknown ? [] : usage.unread(in: json)
    if !unknown.isEmpty { throw FormatError(name, "unknown keys: \(unknown.joined(separator: ", "))") }
    return value
  }

  /// What a type's own `init(from:)` threw.
  private static func describe(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "the key '\(key.stringValue)' is missing"
    case .dataCorrupted(let context), .typeMismatch(_, let context), .valueNotFound(_, let context):
      "'\(context.codingPath.map(\.stringValue).joined(separator: "."))': \(context.debugDescription)"
    @unknown default: "\(error)"
    }
  }
}

/// Which members were read, by dotted path; objects read member by member are told from those taken as a whole.
private final class MemberUsage {
  private var read: [String: Set<String>] = [:]

  func opened(_ path: [String]) { _ = read[path.joined(separator: "."), default: []] }
  func note(_ key: String, at path: [String]) { read[path.joined(separator: "."), default: []].insert(key) }

  func unread(in json: JSONValue, path: [String] = []) -> [String] {
    switch json {
    case .object(let members):
      guard let known = read[path.joined(separator: ".")] else { return [] }
      return members.sorted { $0.key < $1.key }.flatMap { key, value -> [String] in
        if known.contains(key) { return unread(in: value, path: path + [key]) }
        return value == .null ? [] : [(path + [key]).joined(separator: ".")]
      }
    case .array(let values):
      return values.enumerated().flatMap { unread(in: $1, path: path + [String($0)]) }
    default: return []
    }
  }
}

private struct ValueDecoder: Decoder, SingleValueDecodingContainer {
  let json: JSONValue
  let path: [String]
  let name: String
  let usage: MemberUsage
  var codingPath: [any CodingKey] { path.map { TextKey(stringValue: $0) } }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let members = json.object else { throw mismatch("an object") }
    usage.opened(path)
    return KeyedDecodingContainer(MemberContainer(members: members, decoder: self))
  }
  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard let values = json.array else { throw mismatch("a list") }
    return ElementContainer(values: values, decoder: self)
  }
  func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

  func decodeNil() -> Bool { json == .null }
  func decode(_ type: Bool.Type) throws -> Bool { try json.bool ?? { throw mismatch("true or false") }() }
  func decode(_ type: String.Type) throws -> String { try json.string ?? { throw mismatch("a string") }() }
  func decode(_ type: Double.Type) throws -> Double { try json.double ?? { throw mismatch("a number") }() }
  func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
  func decode<Number: FixedWidthInteger & Decodable>(_ type: Number.Type) throws -> Number {
    guard let whole = json.integer, let value = Number(exactly: whole) else {
      throw mismatch("a whole number from \(Number.min) to \(Number.max)")
    }
    return value
  }
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Value(from: self) }

  func child(_ json: JSONValue, _ key: String) -> ValueDecoder { ValueDecoder(json: json, path: path + [key], name: name, usage: usage) }

  func mismatch(_ expected: String) -> FormatError {
    let text = json.text
    let shown = text.count > 60 ? text.prefix(60) + "…" : text[...]
    return FormatError(
      name, path.isEmpty ? "is \(shown); expected \(expected)" : "'\(path.joined(separator: "."))' is \(shown); expected \(expected)")
  }
}

private struct TextKey: CodingKey {
  let stringValue: String
  var intValue: Int? { Int(stringValue) }
  init(stringValue: String) { self.stringValue = stringValue }
  init(intValue: Int) { stringValue = String(intValue) }
}

private struct MemberContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let members: [String: JSONValue]
  let decoder: ValueDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }
  var allKeys: [Key] {
    members.keys.sorted().compactMap { key in
      // Whoever asks for all keys reads them all.
      decoder.usage.note(key, at: decoder.path)
      return Key(stringValue: key)
    }
  }

  func contains(_ key: Key) -> Bool {
    decoder.usage.note(key.stringValue, at: decoder.path)
    return members[key.stringValue] != nil
  }
  func decodeNil(forKey key: Key) throws -> Bool { (members[key.stringValue] ?? .null) == .null }
  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value { try Value(from: try member(key)) }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws -> KeyedDecodingContainer<Nested> {
    try member(key).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try member(key).unkeyedContainer() }
  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }

  private func member(_ key: Key) throws -> ValueDecoder {
    decoder.usage.note(key.stringValue, at: decoder.path)
    guard let value = members[key.stringValue] else {
      throw FormatError(decoder.name, "the key '\((decoder.path + [key.stringValue]).joined(separator: "."))' is missing")
    }
    return decoder.child(value, key.stringValue)
  }
}

private struct ElementContainer: UnkeyedDecodingContainer {
  let values: [JSONValue]
  let decoder: ValueDecoder
  var currentIndex = 0
  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { values.count }
  var isAtEnd: Bool { currentIndex >= values.count }

  mutating func next() throws -> ValueDecoder {
    guard !isAtEnd else { throw FormatError(decoder.name, "'\(decoder.path.joined(separator: "."))' has only \(values.count) elements") }
    defer { currentIndex += 1 }
    return decoder.child(values[currentIndex], String(currentIndex))
  }
  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, values[currentIndex] == .null else { return false }
    currentIndex += 1
    return true
  }
  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Value(from: try next()) }
  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
    try next().container(keyedBy: type)
  }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
  mutating func superDecoder() throws -> any Decoder { try next() }
}
