package import QuickstepTensor

/// How GGUF stores the values of a tensor: plain numbers, or blocks that are turned into float32 when they are read.
package struct GGUFType: Sendable {
  /// Number in the file.
  package let id: UInt32
  /// Name as ggml writes it.
  package let name: String
  /// Values per block; 1 for plain numbers.
  package let blockSize: Int
  /// Bytes per block.
  package let blockBytes: Int
  /// The element type that is handed out.
  package let dtype: DType
  /// Writes the `blockSize` values of one block; `nil` for plain numbers, which are handed out as they are.
  let unpack: (@Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void)?

  private init(_ id: UInt32, _ name: String, plain dtype: DType) {
    (self.id, self.name, self.dtype) = (id, name, dtype)
    (blockSize, blockBytes, unpack) = (1, dtype.byteCount, nil)
  }

  private init(
    _ id: UInt32, _ name: String, values: Int, bytes: Int,
    _ unpack: @escaping @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
  ) {
    (self.id, self.name, dtype) = (id, name, .float32)
    (blockSize, blockBytes, self.unpack) = (values, bytes, unpack)
  }

  /// Every type that can be read, by number. A new one is a line here and its unpacking.
  package static let all: [GGUFType] = [
    GGUFType(0, "F32", plain: .float32),
    GGUFType(1, "F16", plain: .float16),
    GGUFType(2, "Q4_0", values: 32, bytes: 18, SimpleBlocks.q4_0),
    GGUFType(3, "Q4_1", values: 32, bytes: 20, SimpleBlocks.q4_1),
    GGUFType(6, "Q5_0", values: 32, bytes: 22, SimpleBlocks.q5_0),
    GGUFType(7, "Q5_1", values: 32, bytes: 24, SimpleBlocks.q5_1),
    GGUFType(8, "Q8_0", values: 32, bytes: 34, SimpleBlocks.q8_0),
    GGUFType(12, "Q4_K", values: 256, bytes: 144, SuperBlocks.q4_K),
    GGUFType(13, "Q5_K", values: 256, bytes: 176, SuperBlocks.q5_K),
    GGUFType(14, "Q6_K", values: 256, bytes: 210, SuperBlocks.q6_K),
    GGUFType(24, "I8", plain: .int8),
    GGUFType(25, "I16", plain: .int16),
    GGUFType(26, "I32", plain: .int32),
    GGUFType(27, "I64", plain: .int64),
    GGUFType(28, "F64", plain: .float64),
    GGUFType(30, "BF16", plain: .bfloat16),
  ]

  /// Names of types that other programs write and that are not read here, for messages.
  private static let others: [UInt32: String] = [
    9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
  ]

  /// - Throws: `FormatError` naming the type.
  static func of(_ id: UInt32, tensor: String, path: String) throws -> GGUFType {
    if let type = all.first(where: { $0.id == id }) { return type }
    let name = others[id] ?? "number \(id)"
    throw FormatError(
      path, "tensor \"\(tensor)\" is of type \(name), which is not supported; supported: \(all.map(\.name).joined(separator: ", "))")
  }

  /// Bytes of a tensor with this shape; nil when they overflow or blocks do not fill its rows.
  func byteCount(_ shape: [Int]) -> Int? {
    guard (shape.last ?? 1) % blockSize == 0 else { return nil }
    var values = 1
    for size in shape {
      let product = values.multipliedReportingOverflow(by: size)
      guard !product.overflow else { return nil }
      values = product.partialValue
    }
    let bytes = (values / blockSize).multipliedReportingOverflow(by: blockBytes)
    // What is handed out has four bytes per value at most eight: it must be countable as well.
    guard !bytes.overflow, !values.multipliedReportingOverflow(by: 8).overflow else { return nil }
    return bytes.partialValue
  }
}

extension UnsafeRawPointer {
  /// A half-precision number at this place, exactly.
  func half(_ offset: Int) -> Float {
    Float(Float16(bitPattern: UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))))
  }
  /// A byte at this place.
  func byte(_ offset: Int) -> UInt8 { load(fromByteOffset: offset, as: UInt8.self) }
}
