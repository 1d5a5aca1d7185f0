/// Reads little-endian values from a mapped file one after the other, never beyond its end.
struct ByteCursor {
  private let file: MappedFile
  /// Where the next value begins.
  private(set) var position = 0

  init(_ file: MappedFile) { self.file = file }

  /// Bytes from the position to the end of the file.
  var remaining: Int { file.count - position }

  /// The next `count` bytes; valid only while the file lives.
  /// - Parameter what: what is being read, for messages.
  mutating func bytes(_ count: Int, _ what: String) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else {
      throw FormatError(
        file.path, "\(what) at byte \(position) needs \(count) bytes, the file has \(remaining) left; was it cut short?")
    }
    let result = try file.bytes(in: position..<(position + count))
    position += count
    return result
  }

  /// The next number.
  mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type, _ what: String) throws -> Number {
    let bytes = try bytes(MemoryLayout<Number>.size, what)
    return Number(littleEndian: bytes.loadUnaligned(as: Number.self))
  }

  /// A 64-bit number that counts things of at least `least` bytes each, of which the file must hold as many.
  mutating func count(of least: Int, limit: Int, _ what: String) throws -> Int {
    let start = position
    let count = try integer(UInt64.self, what)
    guard count <= UInt64(limit), Int(count) <= remaining / max(1, least) else {
      throw FormatError(
        file.path,
        "\(what) at byte \(start) is \(count), more than "
          + (count > UInt64(limit) ? "\(limit), the most that is read" : "the \(remaining) bytes that follow can hold; was it cut short?"))
    }
    return Int(count)
  }

  /// A text: its length in bytes, then UTF-8.
  mutating func text(_ what: String) throws -> String {
    let start = position
    let count = try count(of: 1, limit: 1 << 26, "the length of \(what)")
    let bytes = try bytes(count, what)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw FormatError(file.path, "\(what) at byte \(start) is not UTF-8") }
    return text
  }
}
