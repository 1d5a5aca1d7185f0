/// FNV-1a, 64 bits (Fowler, Noll & Vo): tells accidental changes, not malicious ones.
enum Checksum {
  /// As 16 hexadecimal digits.
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    let hash = bytes.reduce(into: UInt64(0xcbf2_9ce4_8422_2325)) { $0 = ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
