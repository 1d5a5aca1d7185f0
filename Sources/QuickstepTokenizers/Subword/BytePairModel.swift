/// Byte-pair encoding of the characters of a piece, as the `tokenizers` library has it: GPT-2's and its relatives' (whose characters stand for
/// bytes) and Gemma's (whose unknown characters become bytes).
struct BytePairModel: SubwordModel {
  /// Choices of a file.
  struct Options: Sendable {
    /// Token for characters that the vocabulary does not have; without one they are left out.
    var unknown: [UInt8]?
    /// Neighbouring unknown characters make one token.
    var fusesUnknown = false
    /// Unknown characters become the tokens `<0x00>` … of their bytes.
    var hasByteFallback = false
    /// A piece that is a token is that token, whatever the merges say.
    var ignoresMerges = false
    /// What the last character of a piece is marked with.
    var wordEnd: [UInt8] = []
  }

  private let vocabulary: [[UInt8]: Int]
  private let characters: [Unicode.Scalar: Int]
  private let merger: PairMerger
  private let options: Options
  private let unknownID: Int?
  private let byteIDs: [Int]?

  /// - Parameters:
  ///   - vocabulary: numbers of the tokens.
  ///   - merges: pairs by rank, the first one merged first.
  /// - Throws: ``TokenizerError`` when the vocabulary lacks the unknown token, or a part or the result of a merge.
  init(vocabulary: [[UInt8]: Int], merges: [([UInt8], [UInt8])], options: Options) throws {
    func id(_ token: [UInt8]) throws -> Int {
      guard let id = vocabulary[token] else {
        throw TokenizerError(
          "vocabulary: there is no '\(String(decoding: token.prefix(40), as: UTF8.self))', which a merge or an option names")
      }
      return id
    }
    var merger = PairMerger(capacity: merges.count)
    for (rank, pair) in merges.enumerated() {
      guard !pair.0.isEmpty, !pair.1.isEmpty else { throw TokenizerError("merge \(rank) has an empty part") }
      merger.add(try id(pair.0), try id(pair.1), rank: rank, result: try id(pair.0 + pair.1))
    }
    var characters: [Unicode.Scalar: Int] = [:]
    for (token, id) in vocabulary where token.count <= 4 {
      let scalars = token.scalars
      if scalars.count == 1 { characters[scalars[0]] = id }
    }
    self.vocabulary = vocabulary
    self.characters = characters
    self.merger = merger
    self.options = options
    unknownID = try options.unknown.map(id)
    let bytes = ByteTokens.ids { vocabulary[$0] }
    byteIDs = options.hasByteFallback ? bytes : nil
  }

  func encode(_ piece: [Unicode.Scalar]) -> [Int] {
    guard let last = piece.last else { return [] }
    if options.ignoresMerges, let id = vocabulary[piece.utf8Bytes] { return [id] }
    var symbols: [Int] = []
    symbols.reserveCapacity(piece.count)
    var isAfterUnknown = false
    func add(_ id: Int?, _ bytes: @autoclosure () -> [UInt8]) {
      if let id {
        symbols.append(id)
      } else if let byteIDs {
        symbols += bytes().map { byteIDs[Int($0)] }
      } else if let unknownID {
        if !(options.fusesUnknown && isAfterUnknown) { symbols.append(unknownID) }
        isAfterUnknown = true
        return
      }
      isAfterUnknown = false
    }
    for scalar in piece.dropLast() { add(characters[scalar], CollectionOfOne(scalar).utf8Bytes) }
    let final = CollectionOfOne(last).utf8Bytes + options.wordEnd
    add(options.wordEnd.isEmpty ? characters[last] : vocabulary[final], final)
    return merger.merged(symbols)
  }
}

/// Turns a piece of text into numbers.
protocol SubwordModel: Sendable {
  func encode(_ piece: [Unicode.Scalar]) -> [Int]
}

/// Tokens that stand for bytes: `<0x00>` to `<0xFF>`.
enum ByteTokens {
  static func name(_ byte: UInt8) -> [UInt8] {
    let digits = String(byte, radix: 16, uppercase: true)
    return Array("<0x\(digits.count == 1 ? "0" : "")\(digits)>".utf8)
  }

  /// The byte that a token stands for.
  static func byte(_ token: some Collection<Unicode.Scalar>) -> UInt8? {
    let text = token.string
    guard text.utf8.count == 6, text.hasPrefix("<0x"), text.hasSuffix(">") else { return nil }
    return UInt8(text.dropFirst(3).dropLast(), radix: 16)
  }

  /// All 256 numbers, or nil when one is missing.
  static func ids(_ id: ([UInt8]) -> Int?) -> [Int]? {
    let ids = (UInt8.min...UInt8.max).compactMap { id(name($0)) }
    return ids.count == 256 ? ids : nil
  }
}
