/// SentencePiece's precompiled normalisation: replacements of short byte strings, kept in a double-array trie (Aoe 1989; the layout is that
/// of darts-clone).
struct CharacterMap: Sendable {
  private let units: [UInt32]
  /// Replacements, each ended by a zero byte.
  private let texts: [UInt8]

  /// - Parameter bytes: the trie's size in bytes (32 bits, little endian), the trie, the texts.
  /// - Throws: ``TokenizerError`` when sizes do not fit. Numbers inside the trie are checked when they are followed.
  init(_ bytes: [UInt8]) throws {
    guard bytes.count > 4 else { throw TokenizerError("the precompiled character map has \(bytes.count) bytes") }
    func word(_ place: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) } }
    let size = Int(word(0))
    guard size % 4 == 0, size >= 4, size <= bytes.count - 4 else {
      throw TokenizerError("the precompiled character map names a trie of \(size) bytes and has \(bytes.count - 4)")
    }
    units = (0..<size / 4).map { word(4 + 4 * $0) }
    texts = Array(bytes[(4 + size)...])
  }

  /// Replacements of the prefixes of `key` that are in the map, shortest first: their lengths and where their texts begin.
  private func prefixes(of key: some Sequence<UInt8>) -> [(length: Int, text: Int)] {
    var result: [(length: Int, text: Int)] = []
    func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & (1 << 9)) >> 6)) }
    guard let root = units.first else { return result }
    var node = offset(root)
    for (index, byte) in key.enumerated() {
      node ^= Int(byte)
      // Zero ends a key in the trie itself.
      guard byte != 0, units.indices.contains(node), units[node] & (1 << 31 | 0xFF) == UInt32(byte) else { break }
      let unit = units[node]
      node ^= offset(unit)
      guard unit >> 8 & 1 == 1 else { continue }
      guard units.indices.contains(node) else { break }
      result.append((index + 1, Int(units[node] & (1 << 31 - 1))))
    }
    return result
  }

  private func text(at start: Int) -> [UInt8]? {
    guard start <= texts.count else { return nil }
    return Array(texts[start...].prefix { $0 != 0 })
  }

  /// The replacement of the longest prefix of `key`, as SentencePiece looks it up.
  func longest(_ key: some Sequence<UInt8>) -> (length: Int, text: [UInt8])? {
    prefixes(of: key).last.flatMap { found in text(at: found.text).map { (found.length, $0) } }
  }

  /// The replacement of the shortest prefix of `key`, which the `tokenizers` library takes for that of the whole key.
  private func shortest(_ key: some Sequence<UInt8>) -> [UInt8]? { prefixes(of: key).first.flatMap { text(at: $0.text) } }

  /// As the `tokenizers` library normalises: user-perceived characters of less than six bytes as a whole, or else character by character.
  func normalised(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [UInt8] = []
    for character in text.string {
      let bytes = Array(character.utf8)
      if bytes.count < 6, let replacement = shortest(bytes) {
        result += replacement
        continue
      }
      for scalar in character.unicodeScalars {
        let bytes = CollectionOfOne(scalar).utf8Bytes
        result += shortest(bytes) ?? bytes
      }
    }
    return result.scalars
  }
}
