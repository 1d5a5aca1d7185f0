/// Memory that belongs to tensors which borrow it: an aligned copy, freed when the last of them goes.
final class SharedBytes: Sendable {
  /// Never changed after `init`.
  private let memory: UInt

  init(_ bytes: UnsafeRawBufferPointer) { memory = Self.copy(bytes) }

  init(_ bytes: [UInt8]) { memory = bytes.withUnsafeBytes { Self.copy($0) } }

  /// Memory that is yet to be written, by whoever makes it and before anyone reads it.
  init(uninitialised count: Int) {
    memory = UInt(bitPattern: UnsafeMutableRawPointer.allocate(byteCount: max(1, count), alignment: 64))
  }

  private static func copy(_ bytes: UnsafeRawBufferPointer) -> UInt {
    // 64 bytes is what libtorch's own allocator gives. An allocation of no bytes would have no address.
    let block = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 64)
    if let start = bytes.baseAddress { block.copyMemory(from: start, byteCount: bytes.count) }
    return UInt(bitPattern: block)
  }

  deinit { UnsafeMutableRawPointer(bitPattern: memory)?.deallocate() }
}

extension SharedBytes {
  /// The first byte; valid while this object lives.
  var address: UnsafeRawPointer {
    get throws {
      guard let pointer = UnsafeRawPointer(bitPattern: memory) else { throw FormatError("memory", "there is none left") }
      return pointer
    }
  }
}
