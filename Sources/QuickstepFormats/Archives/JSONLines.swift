/// A file with one JSON value per line.
public enum JSONLines {
  /// Calls `body` with each value and its line number, counted from 1. Empty lines are passed over.
  /// - Throws: `FormatError` that names file and line; what `body` throws.
  public static func forEach(in path: String, _ body: (JSONValue, Int) throws -> Void) throws {
    let file = try MappedFile(path: path)
    try withExtendedLifetime(file) {
      let bytes = file.bytes
      var start = 0
      var line = 0
      while start < bytes.count {
        let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
        line += 1
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        start = end + 1
        guard content.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) else { continue }
        do {
          try body(JSONValue(parsing: content, name: path), line)
        } catch let error as FormatError where error.origin == path {
          throw FormatError(path, "line \(line) of the file: \(error.reason)")
        }
      }
    }
  }

  /// All values of a file.
  /// - Throws: `FormatError` that names file and line.
  public static func read(_ path: String) throws -> [JSONValue] {
    var values: [JSONValue] = []
    try forEach(in: path) { value, _ in values.append(value) }
    return values
  }
}
