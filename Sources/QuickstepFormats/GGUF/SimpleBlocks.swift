/// Blocks of 32 values with one scale, and one offset where the name ends in 1, both in half precision.
///
/// Layouts are those of ggml (`ggml-common.h`): 4-bit values lie in 16 bytes, the first half of the block in the low nibbles, the second
/// half in the high ones; the fifth bits of 5-bit values are gathered in 4 bytes before them. Products and sums are rounded in the order
/// in which ggml rounds them, so that results are the same bits.
enum SimpleBlocks {
  /// d·(q − 8).
  static let q4_0: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let scale = block.half(0)
    for index in 0..<16 {
      let byte = block.byte(2 + index)
      out[index] = scale * Float(Int(byte & 15) - 8)
      out[index + 16] = scale * Float(Int(byte >> 4) - 8)
    }
  }

  /// d·q + m.
  static let q4_1: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let (scale, offset) = (block.half(0), block.half(2))
    for index in 0..<16 {
      let byte = block.byte(4 + index)
      out[index] = scale * Float(byte & 15) + offset
      out[index + 16] = scale * Float(byte >> 4) + offset
    }
  }

  /// d·(q − 16).
  static let q5_0: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let scale = block.half(0)
    let high = UInt32(littleEndian: block.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
    for index in 0..<16 {
      let byte = block.byte(6 + index)
      out[index] = scale * Float(Int(byte & 15) + Int(high >> index & 1) * 16 - 16)
      out[index + 16] = scale * Float(Int(byte >> 4) + Int(high >> (index + 16) & 1) * 16 - 16)
    }
  }

  /// d·q + m.
  static let q5_1: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let (scale, offset) = (block.half(0), block.half(2))
    let high = UInt32(littleEndian: block.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    for index in 0..<16 {
      let byte = block.byte(8 + index)
      out[index] = scale * Float(Int(byte & 15) + Int(high >> index & 1) * 16) + offset
      out[index + 16] = scale * Float(Int(byte >> 4) + Int(high >> (index + 16) & 1) * 16) + offset
    }
  }

  /// d·q with q of 8 bits with sign.
  static let q8_0: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let scale = block.half(0)
    for index in 0..<32 { out[index] = scale * Float(Int8(bitPattern: block.byte(2 + index))) }
  }
}
