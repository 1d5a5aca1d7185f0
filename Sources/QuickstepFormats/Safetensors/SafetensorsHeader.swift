import QuickstepTensor

/// One tensor of a header, checked.
struct SafetensorsEntry: Sendable {
  let dtype: DType
  let shape: [Int]
  /// Bytes counted from the start of the data.
  let range: Range<Int>
}

/// The checked header of a safetensors file.
struct SafetensorsHeader {
  let entries: [String: SafetensorsEntry]
  let metadata: [String: String]
  let dataStart: Int

  /// Reads the header: its length in 8 bytes, little-endian, then JSON.
  init(file: MappedFile) throws {
    let path = file.path
    guard file.count >= 8 else { throw FormatError(path, "\(file.count) bytes are too few for a safetensors file") }
    let length = file.bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(SafetensorsFile.headerLimit) else {
      throw FormatError(path, "the header claims \(length) bytes, more than \(SafetensorsFile.headerLimit); this is not a safetensors file")
    }
    guard Int(length) <= file.count - 8 else {
      throw FormatError(path, "the header claims \(length) bytes, the file has \(file.count - 8) after the length; was it cut short?")
    }
    dataStart = 8 + Int(length)
    let text = try file.bytes(in: 8..<dataStart)
    guard text.first == UInt8(ascii: "{") else { throw FormatError(path, "the header does not start with '{'") }
    guard case .object(let members) = try JSONValue(parsing: text, name: path, depth: 8) else {
      throw FormatError(path, "the header is not a JSON object")
    }
    var entries: [String: SafetensorsEntry] = [:]
    var metadata: [String: String] = [:]
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, path)
      } else {
        entries[name] = try Self.entry(name, value, path, dataCount: file.count - dataStart)
      }
    }
    try Self.checkCoverage(entries, path, dataCount: file.count - dataStart)
    self.entries = entries
    self.metadata = metadata
  }

  private static func metadata(_ value: JSONValue, _ path: String) throws -> [String: String] {
    guard let members = value.object else { throw FormatError(path, "__metadata__ is not an object") }
    return try members.mapValues { member in
      guard let text = member.string else { throw FormatError(path, "__metadata__ holds a value that is not a string") }
      return text
    }
  }

  private static func entry(_ name: String, _ value: JSONValue, _ path: String, dataCount: Int) throws -> SafetensorsEntry {
    func failure(_ reason: String) -> FormatError { FormatError(path, "tensor \"\(name)\": \(reason)") }
    guard let members = value.object else { throw failure("its entry is not an object") }
    for key in members.keys where !["dtype", "shape", "data_offsets"].contains(key) { throw failure("unknown member \"\(key)\"") }
    guard let typeName = members["dtype"]?.string else { throw failure("no dtype") }
    guard let dtype = DType(safetensorsName: typeName) else { throw failure("unsupported dtype \"\(typeName)\"") }
    guard let sizes = members["shape"]?.array else { throw failure("no shape") }
    let shape = try sizes.map { size in
      guard let size = size.integer, size >= 0 else { throw failure("the shape holds \(size.text), which is not a size") }
      return size
    }
    guard let offsets = members["data_offsets"]?.array, offsets.count == 2, let begin = offsets[0].integer, let end = offsets[1].integer
    else { throw failure("data_offsets is not a pair of whole numbers") }
    guard begin >= 0, begin <= end, end <= dataCount else {
      throw failure("data_offsets [\(begin), \(end)] do not lie inside the \(dataCount) bytes of data; was the file cut short?")
    }
    guard let expected = byteCount(shape, dtype) else { throw failure("the shape \(shape) is too large") }
    guard end - begin == expected else {
      throw failure("shape \(shape) of \(typeName) needs \(expected) bytes, data_offsets give \(end - begin)")
    }
    return SafetensorsEntry(dtype: dtype, shape: shape, range: begin..<end)
  }

  /// nil on overflow. Sizes of zero do not excuse the others: libtorch multiplies them all.
  static func byteCount(_ shape: [Int], _ dtype: DType) -> Int? {
    var positive = dtype.byteCount
    for size in shape where size > 0 {
      let product = positive.multipliedReportingOverflow(by: size)
      guard !product.overflow else { return nil }
      positive = product.partialValue
    }
    return shape.contains(0) ? 0 : positive
  }

  /// Data that no tensor names could hide anything; data that two tensors name is never written by an honest program.
  private static func checkCoverage(_ entries: [String: SafetensorsEntry], _ path: String, dataCount: Int) throws {
    let sorted = entries.sorted { left, right in
      let (a, b) = (left.value.range, right.value.range)
      return (a.lowerBound, a.upperBound, left.key) < (b.lowerBound, b.upperBound, right.key)
    }
    var position = 0
    for (name, entry) in sorted {
      guard entry.range.lowerBound == position else {
        let what = entry.range.lowerBound < position ? "overlaps the tensor before it" : "leaves a hole before it"
        throw FormatError(path, "tensor \"\(name)\": starts at \(entry.range.lowerBound), expected \(position); it \(what)")
      }
      position = entry.range.upperBound
    }
    guard position == dataCount else {
      throw FormatError(path, "the tensors end at byte \(position) of the data, which has \(dataCount) bytes")
    }
  }
}

extension DType {
  private static let safetensorsNames: [(String, DType)] = [
    ("F64", .float64), ("F32", .float32), ("F16", .float16), ("BF16", .bfloat16), ("I64", .int64), ("I32", .int32), ("I16", .int16),
    ("I8", .int8), ("U64", .uint64), ("U32", .uint32), ("U16", .uint16), ("U8", .uint8), ("BOOL", .bool), ("F8_E4M3", .float8e4m3fn),
    ("F8_E5M2", .float8e5m2), ("C64", .complex64),
  ]

  /// The type of that name in safetensors headers.
  init?(safetensorsName name: String) {
    guard let match = Self.safetensorsNames.first(where: { $0.0 == name }) else { return nil }
    self = match.1
  }

  /// The name in safetensors headers; nil for types the format lacks.
  var safetensorsName: String? { Self.safetensorsNames.first { $0.1 == self }?.0 }
}
