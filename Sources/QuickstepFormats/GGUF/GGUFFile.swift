public import QuickstepNN
public import QuickstepTensor
internal import Dispatch

/// A GGUF file (the format of ggml, versions 2 and 3), memory-mapped. Opening reads the header only.
///
/// Plain numbers (F32, F16, BF16, F64 and whole ones) share the mapping. Quantized tensors (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K) are
/// turned into float32 each time they are asked for, to the bits that ggml computes. Shapes are row-major.
public final class GGUFFile: TensorSource, StoredTypes {
  /// All tensors' names, in ascending order of their UTF-8 bytes.
  public let names: [String]
  /// The file's values by key, such as `general.architecture`.
  public let values: [String: GGUFValue]
  /// Version of the format, 2 or 3.
  public let version: Int
  private let file: MappedFile
  private let entries: [String: GGUFEntry]

  /// Path of the file.
  public var origin: String { file.path }
  /// ``values`` as texts, long arrays shortened, without the shapes of single tensors, which are applied.
  public var metadata: [String: String] { values.filter { !$0.key.hasPrefix(GGUFHeader.shapeKey) }.mapValues(\.text) }

  /// Opens and checks a file.
  /// - Throws: `FormatError` with the file, the key or tensor, what was expected and what was found.
  public convenience init(path: String) throws { try self.init(file: try MappedFile(path: path)) }

  /// Uses a mapping that is already there.
  public init(file: MappedFile) throws {
    let header = try GGUFHeader(file: file)
    self.file = file
    entries = header.entries
    values = header.metadata
    version = header.version
    names = header.entries.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Shape, and the type that ``tensor(_:)`` gives: float32 for quantized tensors.
  public func info(_ name: String) -> TensorInfo? {
    entries[name].map { TensorInfo(name: name, dtype: $0.type.dtype, shape: $0.shape) }
  }

  /// `Q4_K`, `F16`, …
  public func storedType(_ name: String) -> String? { entries[name]?.type.name }
  /// Bytes in the file.
  public func storedBytes(_ name: String) -> Int? { entries[name]?.range.count }

  /// The tensor: without a copy where it holds plain numbers, unpacked to float32 otherwise.
  /// - Throws: `FormatError` when there is no such tensor.
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = entries[name] else { throw FormatError(origin, "there is no tensor named \"\(name)\"") }
    guard !entry.range.isEmpty else { return try withTensorErrors { Tensor.empty(entry.shape, dtype: entry.type.dtype) } }
    let bytes = try file.bytes(in: entry.range)
    guard let start = bytes.baseAddress else { throw FormatError(origin, "tensor \"\(name)\" has no memory") }
    guard let unpack = entry.type.unpack else {
      if Int(bitPattern: start) % min(8, entry.type.dtype.byteCount) == 0 {
        return try Tensor(borrowing: start, shape: entry.shape, dtype: entry.type.dtype, owner: file)
      }
      let copy = SharedBytes(bytes)
      return try Tensor(borrowing: copy.address, shape: entry.shape, dtype: entry.type.dtype, owner: copy)
    }
    let blocks = bytes.count / entry.type.blockBytes
    let memory = SharedBytes(uninitialised: blocks * entry.type.blockSize * MemoryLayout<Float>.size)
    let (source, target) = (UInt(bitPattern: start), UInt(bitPattern: try memory.address))
    Self.inParallel(blocks) { range in
      // Pointers cannot be handed to other threads by type, their numbers can. Blocks are separate, so threads write apart.
      guard let from = UnsafeRawPointer(bitPattern: source), let to = UnsafeMutableRawPointer(bitPattern: target) else { return }
      let values = to.assumingMemoryBound(to: Float.self)
      for block in range { unpack(from + block * entry.type.blockBytes, values + block * entry.type.blockSize) }
    }
    return try withExtendedLifetime(file) {
      try Tensor(borrowing: memory.address, shape: entry.shape, dtype: .float32, owner: memory)
    }
  }

  /// Gives the pages of a tensor back to the operating system, which reads them from the file again if need be.
  public func release(_ name: String) { if let entry = entries[name] { file.release(entry.range) } }

  private static func inParallel(_ count: Int, _ body: @escaping @Sendable (Range<Int>) -> Void) {
    let size = 4096
    guard count > size else { return body(0..<count) }
    DispatchQueue.concurrentPerform(iterations: (count + size - 1) / size) { index in
      body((index * size)..<min(count, (index + 1) * size))
    }
  }
}
