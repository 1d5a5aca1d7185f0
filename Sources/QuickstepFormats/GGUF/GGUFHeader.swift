/// One tensor of a GGUF header, checked.
struct GGUFEntry: Sendable {
  let type: GGUFType
  /// Row-major, as tensors have it: GGUF names the fastest dimension first.
  let shape: [Int]
  /// Where its bytes are in the file.
  let range: Range<Int>
}

/// The checked header of a GGUF file (versions 2 and 3, little-endian).
struct GGUFHeader {
  let version: Int
  let metadata: [String: GGUFValue]
  let entries: [String: GGUFEntry]

  /// Before the name of a tensor that is stored flat.
  static let shapeKey = "comfy.gguf.orig_shape."

  private struct Listed {
    let name: String
    let type: GGUFType
    let shape: [Int]
    let byteCount: Int
    let offset: Int
  }

  init(file: MappedFile) throws {
    let path = file.path
    var cursor = ByteCursor(file)
    guard try cursor.bytes(4, "the signature").elementsEqual("GGUF".utf8) else { throw FormatError(path, "does not begin with 'GGUF'") }
    let version = try cursor.integer(UInt32.self, "the version")
    guard version == 2 || version == 3 else {
      let isSwapped = version.byteSwapped <= 3
      throw FormatError(
        path, isSwapped ? "is a big-endian GGUF file, which is not supported" : "is GGUF of version \(version); supported: 2, 3")
    }
    // An entry has at least its name's length, its dimensions' count, its type and its offset.
    let tensorCount = try cursor.count(of: 24, limit: 1 << 20, "the number of tensors")
    let valueCount = try cursor.count(of: 13, limit: 1 << 16, "the number of metadata values")
    var metadata: [String: GGUFValue] = [:]
    for _ in 0..<valueCount {
      let key = try cursor.text("a key of the metadata")
      let type = try cursor.integer(UInt32.self, "the type of '\(key)'")
      let value = try GGUFValue(type: type, from: &cursor, key: key, path: path)
      guard metadata.updateValue(value, forKey: key) == nil else { throw FormatError(path, "the metadata has '\(key)' twice") }
    }
    let alignment = try Self.alignment(metadata, path)
    let listed = try (0..<tensorCount).map { _ in try Self.tensor(from: &cursor, metadata: metadata, alignment: alignment, path) }
    let dataStart = (cursor.position + alignment - 1) / alignment * alignment
    self.version = Int(version)
    self.metadata = metadata
    entries = try Self.placed(listed, dataStart: dataStart, fileCount: file.count, path)
  }

  private static func alignment(_ metadata: [String: GGUFValue], _ path: String) throws -> Int {
    guard let value = metadata["general.alignment"] else { return 32 }
    guard let number = value.integer, number >= 8, number <= 1 << 20, number & (number - 1) == 0 else {
      throw FormatError(path, "'general.alignment' is \(value.text); expected a power of two from 8 to 1048576")
    }
    return number
  }

  private static func tensor(
    from cursor: inout ByteCursor, metadata: [String: GGUFValue], alignment: Int, _ path: String
  ) throws -> Listed {
    let name = try cursor.text("the name of a tensor")
    func failure(_ reason: String) -> FormatError { FormatError(path, "tensor \"\(name)\": \(reason)") }
    let rank = try cursor.integer(UInt32.self, "the rank of \"\(name)\"")
    guard rank <= 8 else { throw failure("it has \(rank) dimensions; at most 8 are supported") }
    var shape: [Int] = []
    for _ in 0..<rank {
      let size = try cursor.integer(UInt64.self, "a size of \"\(name)\"")
      guard let whole = Int(exactly: size) else { throw failure("it has a dimension of \(size)") }
      shape.insert(whole, at: 0)
    }
    let type = try GGUFType.of(try cursor.integer(UInt32.self, "the type of \"\(name)\""), tensor: name, path: path)
    let offset = try cursor.integer(UInt64.self, "the offset of \"\(name)\"")
    guard let byteCount = type.byteCount(shape) else {
      throw failure("the shape \(shape) is too large, or its rows are no multiple of the \(type.blockSize) values of a \(type.name) block")
    }
    guard let start = Int(exactly: offset), start % alignment == 0 else {
      throw failure("its offset \(offset) is no multiple of the alignment \(alignment)")
    }
    let original = try originalShape(name, stored: shape, metadata, path)
    return Listed(name: name, type: type, shape: original, byteCount: byteCount, offset: start)
  }

  /// Convolutions whose rows fill no blocks are stored flat, with their shape beside them (`comfy.gguf.orig_shape.<name>`, row-major).
  private static func originalShape(_ name: String, stored: [Int], _ metadata: [String: GGUFValue], _ path: String) throws -> [Int] {
    let key = shapeKey + name
    guard let value = metadata[key] else { return stored }
    let sizes = value.array?.compactMap(\.integer) ?? []
    var product = 1
    for size in sizes {
      let next = product.multipliedReportingOverflow(by: size)
      guard size >= 0, !next.overflow else { throw FormatError(path, "'\(key)' is \(value.text), which is no shape") }
      product = next.partialValue
    }
    guard value.array?.count == sizes.count, product == stored.reduce(1, *) else {
      throw FormatError(path, "'\(key)' is \(value.text), which does not fit the stored shape \(stored)")
    }
    return sizes
  }

  /// Tensors lie inside the file and do not overlap. Gaps are padding and allowed.
  private static func placed(_ listed: [Listed], dataStart: Int, fileCount: Int, _ path: String) throws -> [String: GGUFEntry] {
    var entries: [String: GGUFEntry] = [:]
    var end = 0
    for tensor in listed.sorted(by: { ($0.offset, $0.byteCount, $0.name) < ($1.offset, $1.byteCount, $1.name) }) {
      let last = tensor.offset.addingReportingOverflow(tensor.byteCount)
      guard !last.overflow, dataStart <= fileCount, last.partialValue <= fileCount - dataStart else {
        throw FormatError(
          path,
          "tensor \"\(tensor.name)\": \(tensor.byteCount) bytes from \(tensor.offset) do not lie inside the \(max(0, fileCount - dataStart)) bytes of data; was the file cut short?"
        )
      }
      guard tensor.byteCount == 0 || tensor.offset >= end else {
        throw FormatError(path, "tensor \"\(tensor.name)\" begins at \(tensor.offset), inside the tensor before it, which ends at \(end)")
      }
      end = max(end, last.partialValue)
      let range = (dataStart + tensor.offset)..<(dataStart + last.partialValue)
      let entry = GGUFEntry(type: tensor.type, shape: tensor.shape, range: range)
      guard entries.updateValue(entry, forKey: tensor.name) == nil else {
        throw FormatError(path, "has two tensors named \"\(tensor.name)\"")
      }
    }
    return entries
  }
}
