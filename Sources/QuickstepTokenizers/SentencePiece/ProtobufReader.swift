/// The fields of one message of protocol buffers' wire format, in order. Every length is checked against what is left.
struct ProtobufReader {
  /// What a field holds.
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
    case fixed32(UInt32)
  }

  private let bytes: ArraySlice<UInt8>
  private var place: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    place = bytes.startIndex
  }

  private func error(_ problem: String) -> TokenizerError { TokenizerError("no valid message at byte \(place): \(problem)") }

  /// The next field; nil at the end.
  /// - Throws: ``TokenizerError`` naming the byte.
  mutating func next() throws -> (number: Int, value: Value)? {
    guard place < bytes.endIndex else { return nil }
    let key = try varint()
    let number = key >> 3
    guard (1...536_870_911).contains(number) else { throw error("a field has the number \(number)") }
    return (Int(number), try value(kind: key & 7))
  }

  private mutating func value(kind: UInt64) throws -> Value {
    switch kind {
    case 0: return .varint(try varint())
    case 1: return .fixed64(try fixed(8))
    case 2:
      let length = try varint()
      guard length <= UInt64(bytes.endIndex - place) else {
        throw error("\(length) bytes are announced, \(bytes.endIndex - place) are left")
      }
      defer { place += Int(length) }
      return .bytes(bytes[place..<place + Int(length)])
    case 5: return .fixed32(UInt32(truncatingIfNeeded: try fixed(4)))
    default: throw error("a field is of the kind \(kind)")
    }
  }

  private mutating func varint() throws -> UInt64 {
    var result: UInt64 = 0
    for index in 0..<10 {
      guard place < bytes.endIndex else { throw error("it ends within a number") }
      let byte = bytes[place]
      place += 1
      guard index < 9 || byte <= 1 else { throw error("a number has more than 64 bits") }
      result |= UInt64(byte & 0x7F) << UInt64(7 * index)
      if byte < 0x80 { return result }
    }
    throw error("a number does not end")
  }

  private mutating func fixed(_ count: Int) throws -> UInt64 {
    guard bytes.endIndex - place >= count else { throw error("it ends within a number") }
    defer { place += count }
    return (0..<count).reduce(0) { $0 | UInt64(bytes[place + $1]) << UInt64(8 * $1) }
  }
}
