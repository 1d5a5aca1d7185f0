/// The tokenizer of the built-in models: one number per word of a closed vocabulary.
///
/// An encoding is `<start>`, a style token if one is asked for, the words, and padding up to `length`. Words are lower-cased runs of
/// letters and digits (see `WordSplitter`). A word that the vocabulary lacks is tried in its parts around hyphens and apostrophes,
/// then in the singular; what is left is `<unk>` and reported.
public struct WordTokenizer: Tokenizer {
  /// Number 0: fills an encoding up to its length, masked out.
  public static let paddingToken = "<pad>"
  /// Number 1: stands for a word that the vocabulary lacks.
  public static let unknownToken = "<unk>"
  /// Number 2: begins every encoding.
  public static let startToken = "<start>"
  static let paddingID = 0
  static let unknownID = 1
  static let startID = 2

  /// Numbers of all words and special tokens, 0 to `vocabularySize - 1`, each once.
  public let vocabulary: [String: Int]
  /// The words by number.
  public let words: [String]
  private let fixedLength: Int

  /// Words and special tokens.
  public var vocabularySize: Int { words.count }
  /// Tokens per encoding, never nil.
  public var length: Int? { fixedLength }

  /// The style names of the vocabulary, in the order of their numbers.
  public var styles: [String] { words.compactMap { Self.styleName($0) } }

  /// - Parameters:
  ///   - vocabulary: numbers of the words, without gaps; `<pad>` 0, `<unk>` 1 and `<start>` 2 included.
  ///   - length: tokens per encoding, at least 2.
  /// - Throws: `TokenizerError` when the vocabulary or the length breaks these rules.
  public init(vocabulary: [String: Int], length: Int) throws {
    guard length >= 2 else { throw TokenizerError("a length of \(length) leaves no room for words; at least 2 are needed") }
    var words = [String?](repeating: nil, count: vocabulary.count)
    for (word, id) in vocabulary {
      guard words.indices.contains(id) else {
        throw TokenizerError("vocabulary: \"\(word)\" has number \(id), expected 0 to \(words.count - 1)")
      }
      if let other = words[id] {
        throw TokenizerError("vocabulary: \"\(min(word, other))\" and \"\(max(word, other))\" share number \(id)")
      }
      words[id] = word
    }
    for (token, id) in [(Self.paddingToken, Self.paddingID), (Self.unknownToken, Self.unknownID), (Self.startToken, Self.startID)] {
      guard vocabulary[token] == id else { throw TokenizerError("vocabulary: \(token) must have number \(id)") }
    }
    self.vocabulary = vocabulary
    self.words = words.compactMap { $0 }
    fixedLength = length
  }

  /// Builds a vocabulary from texts: special tokens, styles as given, then the words by falling frequency, equal ones alphabetically.
  /// The same texts give the same numbers on every machine.
  /// - Parameters:
  ///   - minimumCount: rarer words are left out.
  ///   - limit: most entries of the vocabulary, special tokens and styles included.
  /// - Throws: `TokenizerError` for repeated styles, and when `limit` has no room for the special tokens.
  public init(
    counting captions: some Sequence<String>, styles: [String] = [], minimumCount: Int = 1, limit: Int = .max, length: Int
  ) throws {
    var counts: [String: Int] = [:]
    for caption in captions {
      for word in WordSplitter.words(in: caption) { counts[word, default: 0] += 1 }
    }
    let special = [Self.paddingToken, Self.unknownToken, Self.startToken] + styles.map { Self.styleToken($0) }
    guard Set(special).count == special.count else { throw TokenizerError("vocabulary: a style is named twice in \(styles)") }
    guard limit >= special.count else {
      throw TokenizerError("vocabulary: a limit of \(limit) leaves no room for \(special.count) special tokens")
    }
    let ordered = counts.filter { $0.value >= minimumCount }.sorted { left, right in
      left.value == right.value ? left.key.utf8.lexicographicallyPrecedes(right.key.utf8) : left.value > right.value
    }
    let all = special + ordered.prefix(limit - special.count).map(\.key)
    try self.init(
      vocabulary: Dictionary(all.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first }), length: length)
  }

  /// The token of a style name.
  public static func styleToken(_ style: String) -> String { "<style:\(style)>" }

  private static func styleName(_ token: String) -> String? {
    guard token.hasPrefix("<style:"), token.hasSuffix(">") else { return nil }
    return String(token.dropFirst(7).dropLast())
  }

  /// Encodes a prompt without a style.
  public func encode(_ text: String) -> Encoding { encode(text, style: nil) }

  /// Encodes a prompt, with a style token after `<start>` when `style` is given. A style that the vocabulary lacks becomes `<unk>` and
  /// is reported among the unknown words as its token (`<style:name>`).
  public func encode(_ prompt: String, style: String?) -> Encoding {
    var ids = [Self.startID]
    var unknown: [String] = []
    var truncated: [String] = []
    if let style {
      let id = vocabulary[Self.styleToken(style)]
      if id == nil { unknown.append(Self.styleToken(style)) }
      ids.append(id ?? Self.unknownID)
    }
    for word in WordSplitter.words(in: prompt) {
      let found = lookUp(word)
      // A word of several parts is kept whole or left out whole.
      guard truncated.isEmpty, ids.count + found.ids.count <= fixedLength else {
        truncated.append(word)
        continue
      }
      ids.append(contentsOf: found.ids)
      unknown.append(contentsOf: found.unknown)
    }
    let padding = fixedLength - ids.count
    return Encoding(
      ids: ids + [Int](repeating: Self.paddingID, count: padding),
      mask: [Bool](repeating: true, count: ids.count) + [Bool](repeating: false, count: padding), unknownWords: unknown,
      truncatedWords: truncated)
  }

  /// The words between spaces. `<unk>` stays, since it stands for a word; numbers out of range are left out.
  public func decode(_ ids: [Int]) -> String {
    ids.filter { words.indices.contains($0) && $0 != Self.paddingID && $0 != Self.startID && Self.styleName(words[$0]) == nil }
      .map { words[$0] }.joined(separator: " ")
  }

  private func lookUp(_ word: String) -> (ids: [Int], unknown: [String]) {
    if let id = known(word) { return ([id], []) }
    let parts = WordSplitter.parts(of: word)
    guard parts != [word], !parts.isEmpty else { return ([Self.unknownID], [word]) }
    let found = parts.map { known($0) }
    // With no part known, one <unk> says as much as several and leaves room for the other words.
    guard found.contains(where: { $0 != nil }) else { return ([Self.unknownID], [word]) }
    let unknown = zip(parts, found).filter { $0.1 == nil }.map(\.0)
    return (found.map { $0 ?? Self.unknownID }, unknown)
  }

  private func known(_ word: String) -> Int? {
    if let id = vocabulary[word] { return id }
    return WordSplitter.singulars(of: word).lazy.compactMap { vocabulary[$0] }.first
  }
}
