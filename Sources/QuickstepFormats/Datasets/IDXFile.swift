public import QuickstepTensor

/// An array in the IDX form of MNIST and its successors, plain or gzip-compressed.
public struct IDXFile: Sendable {
  /// The path or name it was read from.
  public let origin: String
  /// Sizes, outermost first: [count, height, width] for pictures, [count] for labels.
  public let shape: [Int]
  /// Element type: uint8, int8, int16, int32, float32 or float64.
  public let dtype: DType
  /// The values in row-major order, in this machine's byte order.
  public let bytes: [UInt8]

  /// Reads a file.
  /// - Parameter limit: the most bytes that it may hold after decompression.
  /// - Throws: `FormatError` when it is damaged, too large, or not an IDX file.
  public init(path: String, limit: Int = 1 << 30) throws {
    try self.init(parsing: try Gzip.readFile(path, limit: limit), name: path)
  }

  /// Reads decompressed bytes: two zeros, a type, the number of dimensions, their sizes (big-endian), the values (big-endian).
  public init(parsing data: [UInt8], name: String) throws {
    guard data.count >= 4, data[0] == 0, data[1] == 0 else { throw FormatError(name, "this is not an IDX file") }
    guard let dtype = Self.types[data[2]] else { throw FormatError(name, "unknown IDX type \(data[2])") }
    let rank = Int(data[3])
    let start = 4 + 4 * rank
    guard data.count >= start else { throw FormatError(name, "the IDX header of \(rank) sizes is cut short") }
    let shape = (0..<rank).map { index in data[(4 + 4 * index)..<(8 + 4 * index)].reduce(0) { $0 << 8 | Int($1) } }
    guard let expected = SafetensorsHeader.byteCount(shape, dtype) else { throw FormatError(name, "the IDX shape \(shape) is too large") }
    guard data.count - start == expected else {
      throw FormatError(
        name, "an IDX array of shape \(shape) and type \(dtype) needs \(expected) bytes, the file has \(data.count - start)")
    }
    origin = name
    self.shape = shape
    self.dtype = dtype
    bytes = Self.littleEndian(data[start...], elementSize: dtype.byteCount)
  }

  /// The values as a tensor on the CPU.
  /// - Throws: `TensorError` when memory is exhausted.
  public func tensor() throws -> Tensor {
    guard !bytes.isEmpty else { return try withTensorErrors { Tensor.empty(shape, dtype: dtype) } }
    let memory = SharedBytes(bytes)
    return try Tensor(borrowing: memory.address, shape: shape, dtype: dtype, owner: memory)
  }

  private static let types: [UInt8: DType] = [
    0x08: .uint8, 0x09: .int8, 0x0B: .int16, 0x0C: .int32, 0x0D: .float32, 0x0E: .float64,
  ]

  private static func littleEndian(_ data: ArraySlice<UInt8>, elementSize: Int) -> [UInt8] {
    guard elementSize > 1 else { return Array(data) }
    var result: [UInt8] = []
    result.reserveCapacity(data.count)
    for start in stride(from: data.startIndex, to: data.endIndex, by: elementSize) {
      result.append(contentsOf: data[start..<(start + elementSize)].reversed())
    }
    return result
  }
}
