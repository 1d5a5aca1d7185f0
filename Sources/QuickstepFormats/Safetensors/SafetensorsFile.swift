public import QuickstepNN
public import QuickstepTensor

/// A safetensors file, memory-mapped. Opening reads the header only; tensors share the mapping and keep it alive.
///
/// The header is checked as a whole before anything is used: types, shapes, that every tensor lies inside the file, that the data has
/// neither holes nor overlaps. Files that fail are refused with the tensor and the two numbers that disagree.
public final class SafetensorsFile: TensorSource {
  /// The longest header that is read, as in the reference implementation.
  public static let headerLimit = 100_000_000

  /// All tensors' names, in ascending order of their UTF-8 bytes.
  public let names: [String]
  /// The `__metadata__` of the header.
  public let metadata: [String: String]
  private let file: MappedFile
  private let entries: [String: SafetensorsEntry]
  /// Where the data starts in the file.
  private let dataStart: Int

  /// Path of the file.
  public var origin: String { file.path }

  /// Opens and checks a file.
  /// - Throws: `FormatError` with the file, the tensor, what was expected and what was found.
  public convenience init(path: String) throws { try self.init(file: try MappedFile(path: path)) }

  /// Uses a mapping that is already there.
  public init(file: MappedFile) throws {
    let header = try SafetensorsHeader(file: file)
    self.file = file
    entries = header.entries
    metadata = header.metadata
    dataStart = header.dataStart
    names = header.entries.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Type and shape from the header; `nil` when there is no such tensor.
  public func info(_ name: String) -> TensorInfo? {
    entries[name].map { TensorInfo(name: name, dtype: $0.dtype, shape: $0.shape) }
  }

  /// The bytes of a tensor as stored, little-endian and row-major. The pointer is valid only while this object lives.
  /// - Throws: `FormatError` when there is no such tensor.
  public func bytes(_ name: String) throws -> UnsafeRawBufferPointer {
    guard let entry = entries[name] else { throw FormatError(origin, "there is no tensor named \"\(name)\"") }
    return try file.bytes(in: (dataStart + entry.range.lowerBound)..<(dataStart + entry.range.upperBound))
  }

  /// Gives the pages of a tensor back to the operating system, which reads them from the file again if need be.
  public func release(_ name: String) {
    guard let entry = entries[name] else { return }
    file.release((dataStart + entry.range.lowerBound)..<(dataStart + entry.range.upperBound))
  }

  /// The tensor without a copy where its bytes are aligned to its elements: it must not be written to in place.
  /// - Throws: `FormatError` when there is no such tensor.
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = entries[name] else { throw FormatError(origin, "there is no tensor named \"\(name)\"") }
    let bytes = try bytes(name)
    guard let start = bytes.baseAddress, !bytes.isEmpty else {
      return try withTensorErrors { Tensor.empty(entry.shape, dtype: entry.dtype) }
    }
    let alignment = min(8, entry.dtype.byteCount)
    if Int(bitPattern: start) % alignment == 0 {
      return try Tensor(borrowing: start, shape: entry.shape, dtype: entry.dtype, owner: file)
    }
    // Kernels may assume aligned elements; files that pack odd sizes together pay with a copy.
    let copy = SharedBytes(bytes)
    return try Tensor(borrowing: copy.address, shape: entry.shape, dtype: entry.dtype, owner: copy)
  }
}
