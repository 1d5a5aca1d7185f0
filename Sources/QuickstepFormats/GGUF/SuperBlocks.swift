/// Blocks of 256 values whose parts have scales of their own, which are quantized in turn (ggml's K types).
///
/// Layouts are those of ggml (`ggml-common.h`), and so is the order of rounding.
enum SuperBlocks {
  /// Eight parts of 32 values: d·s·q − m·o with scales s and offsets o of 6 bits.
  static let q4_K: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let (scale, offset) = (block.half(0), block.half(2))
    for part in 0..<8 {
      let (s, o) = sixBits(block + 4, part)
      let (d, m) = (scale * Float(s), offset * Float(o))
      // Two parts share 32 bytes: the first one has the low nibbles.
      let bytes = 16 + part / 2 * 32
      let shift = UInt8(part % 2 * 4)
      for index in 0..<32 { out[part * 32 + index] = d * Float(block.byte(bytes + index) >> shift & 15) - m }
    }
  }

  /// As `q4_K`, with a fifth bit of every value: part p has bit p of 32 bytes.
  static let q5_K: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let (scale, offset) = (block.half(0), block.half(2))
    for part in 0..<8 {
      let (s, o) = sixBits(block + 4, part)
      let (d, m) = (scale * Float(s), offset * Float(o))
      let bytes = 48 + part / 2 * 32
      let shift = UInt8(part % 2 * 4)
      for index in 0..<32 {
        let high = (block.byte(16 + index) >> UInt8(part) & 1) << 4
        out[part * 32 + index] = d * Float(block.byte(bytes + index) >> shift & 15 | high) - m
      }
    }
  }

  /// Sixteen parts of 16 values: d·s·(q − 32) with scales of 8 bits; low four bits in 128 bytes, high two in 64.
  static let q6_K: @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void = { block, out in
    let scale = block.half(208)
    for half in 0..<2 {
      for quarter in 0..<4 {
        // Quarters 0 and 1 are the low nibbles of the first and second 32 bytes, 2 and 3 the high ones.
        let low = half * 64 + quarter % 2 * 32
        let lowShift = UInt8(quarter / 2 * 4)
        let highShift = UInt8(quarter * 2)
        for index in 0..<32 {
          let position = half * 128 + quarter * 32 + index
          let d = scale * Float(Int8(bitPattern: block.byte(192 + position / 16)))
          let bits = block.byte(low + index) >> lowShift & 15 | (block.byte(128 + half * 32 + index) >> highShift & 3) << 4
          out[position] = d * Float(Int(bits) - 32)
        }
      }
    }
  }

  /// Scale and offset of a part from 12 bytes: parts 0…3 have 6 bits of a byte each; parts 4…7 have a nibble and the two bits that the
  /// others leave.
  private static func sixBits(_ bytes: UnsafeRawPointer, _ part: Int) -> (scale: UInt8, offset: UInt8) {
    if part < 4 { return (bytes.byte(part) & 63, bytes.byte(part + 4) & 63) }
    let low = bytes.byte(part + 4)
    return (low & 15 | (bytes.byte(part - 4) >> 6) << 4, low >> 4 | (bytes.byte(part) >> 6) << 4)
  }
}
