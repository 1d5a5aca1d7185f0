/// Byte strings with a number each, for finding all that begin at a place of a text.
struct ByteTrie: Sendable {
  private var edges: [UInt64: UInt32] = [:]
  /// Number of the string that ends at a node, or −1.
  private var values: [Int] = [-1]

  /// Of equal strings the last one stays. The empty string is never found.
  mutating func insert(_ bytes: [UInt8], value: Int) {
    var node: UInt32 = 0
    for byte in bytes {
      let key = UInt64(node) << 8 | UInt64(byte)
      if let next = edges[key] {
        node = next
      } else {
        node = UInt32(values.count)
        edges[key] = node
        values.append(-1)
      }
    }
    if node != 0 { values[Int(node)] = value }
  }

  /// Calls `found` with the end and number of every string that begins at `start`, shortest first.
  func prefixes(of text: [UInt8], from start: Int, _ found: (_ end: Int, _ value: Int) -> Void) {
    var node: UInt32 = 0
    for place in start..<text.count {
      guard let next = edges[UInt64(node) << 8 | UInt64(text[place])] else { return }
      node = next
      if values[Int(node)] >= 0 { found(place + 1, values[Int(node)]) }
    }
  }

  /// End and number of the longest string that begins at `start`.
  func longest(in text: [UInt8], from start: Int) -> (end: Int, value: Int)? {
    var result: (end: Int, value: Int)?
    prefixes(of: text, from: start) { result = ($0, $1) }
    return result
  }

  /// The number of exactly this string.
  subscript(_ bytes: some Sequence<UInt8>) -> Int? {
    var node: UInt32 = 0
    for byte in bytes {
      guard let next = edges[UInt64(node) << 8 | UInt64(byte)] else { return nil }
      node = next
    }
    return values[Int(node)] >= 0 ? values[Int(node)] : nil
  }
}
