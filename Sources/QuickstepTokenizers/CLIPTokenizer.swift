import Foundation

/// CLIP's byte-level byte-pair encoding (Radford et al. 2021, arXiv 2103.00020; Sennrich et al. 2016, arXiv 1508.07909), with the numbers of
/// transformers' `CLIPTokenizer`.
///
/// A text is brought to NFC and lower case and split into words: contractions, runs of letters, single digits, runs of anything else. A
/// word's UTF-8 bytes are symbols, the last one marked with `</w>`; the pair with the lowest rank is merged until none is left. An
/// encoding is start, tokens, end and padding up to ``length``; the end token stays when a text is too long. What is a letter is decided by
/// the Unicode version of Swift's library; characters that are newer than the reference's may be cut otherwise.
public struct CLIPTokenizer: Tokenizer {
  /// What surrounds and fills an encoding.
  public struct SpecialTokens: Sendable, Hashable {
    /// Text of the first token, of the last one, and of those after it.
    public var start = "<|startoftext|>", end = "<|endoftext|>", padding = "<|endoftext|>"
    /// CLIP's own; Stable Diffusion 2 and the second encoder of SDXL pad with `!`.
    public init() {}
  }

  /// Tokens by number.
  public let tokens: [String]
  /// Number of the first token, of the last one, and of those after it.
  public let startID: Int, endID: Int, paddingID: Int
  private let specials: [(text: String, id: Int)]
  private let pairs: BytePairs
  private let fixedLength: Int

  public var vocabularySize: Int { tokens.count }
  /// Tokens per encoding, 77 in all published models; never nil.
  public var length: Int? { fixedLength }

  /// - Parameters:
  ///   - vocabulary: numbers of the tokens, without gaps; all 256 bytes with and without `</w>`.
  ///   - merges: pairs by rank, the first one merged first.
  ///   - length: tokens per encoding, at least 2.
  /// - Throws: ``TokenizerError`` when the vocabulary lacks a byte, a special token or the result of a merge.
  public init(vocabulary: [String: Int], merges: [(String, String)], special: SpecialTokens = .init(), length: Int = 77) throws {
    guard (2...65536).contains(length) else { throw TokenizerError("the length is \(length); allowed: 2…65536") }
    var tokens = [String?](repeating: nil, count: vocabulary.count)
    for (token, id) in vocabulary {
      guard tokens.indices.contains(id), tokens[id] == nil else {
        throw TokenizerError("vocabulary: '\(token.prefix(40))' has number \(id), which is taken or beyond \(tokens.count - 1)")
      }
      tokens[id] = token
    }
    func id(_ token: String) throws -> Int {
      guard let id = vocabulary[token] else { throw TokenizerError("vocabulary: there is no '\(token)'") }
      return id
    }
    self.tokens = tokens.compactMap { $0 }
    (startID, endID, paddingID) = (try id(special.start), try id(special.end), try id(special.padding))
    specials = [(special.start, startID), (special.end, endID)]
    pairs = try BytePairs(vocabulary: vocabulary, merges: merges, wordEnd: "</w>")
    fixedLength = length
  }

  public func encode(_ text: String) -> Encoding {
    var ids = [startID]
    var truncated: [String] = []
    for piece in pieces(of: text) {
      let room = fixedLength - 1 - ids.count
      let tokens = piece.special.map { [$0] } ?? pairs.encode(piece.text)
      ids += tokens.prefix(room)
      if tokens.count > room { truncated.append(piece.text) }
    }
    ids.append(endID)
    let count = ids.count
    ids += Array(repeating: paddingID, count: fixedLength - count)
    return Encoding(ids: ids, mask: ids.indices.map { $0 < count }, truncatedWords: truncated)
  }

  /// The numbers of a text alone: neither surrounded, nor cut, nor filled.
  public func tokens(of text: String) -> [Int] {
    pieces(of: text).flatMap { piece in piece.special.map { [$0] } ?? pairs.encode(piece.text) }
  }

  public func decode(_ ids: [Int]) -> String {
    let hidden = [startID, endID, paddingID]
    let text = ids.filter { tokens.indices.contains($0) && !hidden.contains($0) }.map { tokens[$0] }.joined()
    return pairs.text(text).replacing("</w>", with: " ").trimmingCharacters(in: .whitespaces)
  }

  private struct Piece {
    var text: String
    var special: Int?
  }

  /// Special tokens written in the text count as such, as in the reference; all else is normalised and split into words.
  private func pieces(of text: String) -> [Piece] {
    var result: [Piece] = []
    // Scalars and not characters: a combining mark behind a special token does not hide it.
    var rest = text.unicodeScalars[...]
    while !rest.isEmpty {
      let found = specials.compactMap { special in rest.firstRange(of: special.text.unicodeScalars).map { ($0, special) } }
        .min { $0.0.lowerBound < $1.0.lowerBound }
      let plain = rest[..<(found?.0.lowerBound ?? rest.endIndex)]
      result += CLIPWords.split(CLIPWords.normalised(String(plain))).map { Piece(text: $0) }
      guard let (range, special) = found else { break }
      result.append(Piece(text: special.text, special: special.id))
      rest = rest[range.upperBound...]
    }
    return result
  }
}

/// How CLIP cuts a text into words.
enum CLIPWords {
  /// NFC, then the lower case of every scalar by itself.
  static func normalised(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.precomposedStringWithCanonicalMapping.unicodeScalars {
      result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
    }
    return String(result)
  }

  private enum Kind { case space, letter, number, other }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
    case .decimalNumber, .letterNumber, .otherNumber: .number
    default: scalar.properties.isWhitespace ? .space : .other
    }
  }

  /// Contractions, runs of letters, single digits, runs of what is neither letter, digit nor white space.
  static func split(_ text: String) -> [String] {
    let scalars = Array(text.unicodeScalars)
    let kinds = scalars.map(kind)
    var words: [String] = []
    var index = 0
    while index < scalars.count {
      var end = index + 1
      if let length = contraction(scalars, at: index) {
        end = index + length
      } else if kinds[index] == .letter || kinds[index] == .other {
        while end < scalars.count, kinds[end] == kinds[index] { end += 1 }
      }
      if kinds[index] != .space {
        var word = String.UnicodeScalarView()
        word.append(contentsOf: scalars[index..<end])
        words.append(String(word))
      }
      index = end
    }
    return words
  }

  /// Scalars of 's, 't, 're, 've, 'm, 'll or 'd at `index`.
  private static func contraction(_ scalars: [Unicode.Scalar], at index: Int) -> Int? {
    guard scalars[index] == "'", index + 1 < scalars.count else { return nil }
    let (first, second) = (scalars[index + 1], index + 2 < scalars.count ? scalars[index + 2] : " ")
    switch (first, second) {
    case ("s", _), ("t", _), ("m", _), ("d", _): return 2
    case ("r", "e"), ("v", "e"), ("l", "l"): return 3
    default: return nil
    }
  }
}
