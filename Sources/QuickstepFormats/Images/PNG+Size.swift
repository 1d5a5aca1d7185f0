internal import Foundation

extension PNG {
  /// Width and height that a file's header promises; nothing is decoded.
  /// - Throws: `FormatError` when it cannot be read or is no PNG.
  public static func size(of path: String) throws -> (width: Int, height: Int) {
    let file = try MappedFile(path: path)
    return try withExtendedLifetime(file) {
      let bytes = file.bytes
      // Signature, length and name of the first chunk, which has to be IHDR.
      guard hasSignature(bytes), bytes.count >= 24, bytes[12..<16].elementsEqual(Array("IHDR".utf8)) else {
        throw FormatError(path, "is no PNG")
      }
      func number(_ start: Int) -> Int { bytes[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) } }
      return (number(16), number(20))
    }
  }
}
