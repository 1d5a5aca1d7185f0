/// Byte-pair merges over the bytes of a word.
struct BytePairs: Sendable {
  private let inner: [Int]
  private let last: [Int]
  private let merger: PairMerger
  private let bytes: [Unicode.Scalar: UInt8]

  /// - Parameters:
  ///   - merges: pairs of token texts by rank.
  ///   - wordEnd: what the last symbol of a word is marked with; may be empty.
  /// - Throws: ``TokenizerError`` when the vocabulary lacks a byte, or a part or the result of a merge.
  init(vocabulary: [String: Int], merges pairs: [(String, String)], wordEnd: String) throws {
    let letters = Self.byteLetters()
    func id(_ token: String) throws -> Int {
      guard let id = vocabulary[token] else { throw TokenizerError("vocabulary: there is no '\(token.prefix(40))'") }
      return id
    }
    inner = try letters.map { try id(String($0)) }
    last = try letters.map { try id(String($0) + wordEnd) }
    var merger = PairMerger(capacity: pairs.count)
    for (rank, pair) in pairs.enumerated() {
      merger.add(try id(pair.0), try id(pair.1), rank: rank, result: try id(pair.0 + pair.1))
    }
    self.merger = merger
    bytes = Dictionary(uniqueKeysWithValues: zip(letters, UInt8.min...UInt8.max))
  }

  /// A printable letter for every byte, as GPT-2 has them: printable bytes of Latin-1 stand for themselves, the others follow from U+0100.
  static func byteLetters() -> [Unicode.Scalar] {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
      defer { if !isPrintable { next += 1 } }
      return Unicode.Scalar(isPrintable ? byte : next) ?? " "
    }
  }

  /// The text that a row of byte letters stands for; what is no byte letter stays.
  func text(_ letters: String) -> String {
    String(decoding: letters.unicodeScalars.flatMap { bytes[$0].map { [$0] } ?? Array(String($0).utf8) }, as: UTF8.self)
  }

  /// Token numbers of one word. Time grows as n·log n with its bytes.
  func encode(_ word: String) -> [Int] {
    let utf8 = Array(word.utf8)
    guard !utf8.isEmpty else { return [] }
    return merger.merged(utf8.enumerated().map { $0.offset == utf8.count - 1 ? last[Int($0.element)] : inner[Int($0.element)] })
  }
}
