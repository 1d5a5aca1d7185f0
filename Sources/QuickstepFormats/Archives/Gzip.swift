internal import CPNG

/// Reader of gzip data, over zlib.
public enum Gzip {
  /// Decompresses a whole buffer.
  /// - Parameters:
  ///   - name: what to call the data in messages.
  ///   - limit: the most bytes that may come out, against files made to exhaust memory.
  /// - Throws: `FormatError` for damaged or incomplete data and beyond the limit.
  public static func decompress(_ bytes: UnsafeRawBufferPointer, name: String, limit: Int = 1 << 30) throws -> [UInt8] {
    var out: UnsafeMutablePointer<UInt8>?
    var length = 0
    var message = [CChar](repeating: 0, count: 256)
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let status = cpng_gunzip(start, bytes.count, max(0, limit), &out, &length, &message, message.count)
    guard status == cpng_ok else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw FormatError(name, "gzip: \(reason)")
    }
    defer { cpng_bytes_free(out) }
    return [UInt8](UnsafeBufferPointer(start: out, count: length))
  }

  /// The bytes of a file: decompressed if they start with gzip's signature, as they are otherwise.
  public static func readFile(_ path: String, limit: Int = 1 << 30) throws -> [UInt8] {
    let file = try MappedFile(path: path)
    return try withExtendedLifetime(file) {
      let isCompressed = file.count >= 2 && file.bytes[0] == 0x1F && file.bytes[1] == 0x8B
      guard isCompressed || file.count <= limit else { throw FormatError(path, "\(file.count) bytes are more than the limit of \(limit)") }
      return isCompressed ? try decompress(file.bytes, name: path, limit: limit) : [UInt8](file.bytes)
    }
  }
}
