/// A small random number generator for choices that are not tensors (Steele, Lea & Flood 2014).
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64
  /// A stream that starts at `seed`; every value is a good one.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// A seed that depends on both arguments.
  public static func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var generator = SplitMix64(seed: a ^ (b &* 0xD6E8_FEB8_6659_FD93))
    return generator.next()
  }
}
