/// Cuts pieces of text into smaller ones, which the model encodes each by itself.
protocol PreTokenizer: Sendable {
  func split(_ piece: TextPiece) -> [TextPiece]
}

/// What becomes of the matches that a text is cut at.
enum SplitBehavior: String, Sendable, CaseIterable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"
}

extension TextPiece {
  /// Cut at `matches`, which rise and do not overlap.
  func split(at matches: [Range<Int>], _ behavior: SplitBehavior, isInverted: Bool = false) -> [TextPiece] {
    var spans: [(range: Range<Int>, isMatch: Bool)] = []
    var place = 0
    for match in matches {
      if match.lowerBound > place { spans.append((place..<match.lowerBound, isInverted)) }
      spans.append((match, !isInverted))
      place = match.upperBound
    }
    if place < scalars.count { spans.append((place..<scalars.count, isInverted)) }
    return Self.joined(spans, behavior).map { TextPiece(scalars: Array(scalars[$0]), isFirst: isFirst && $0.lowerBound == 0) }
  }

  private static func joined(_ spans: [(range: Range<Int>, isMatch: Bool)], _ behavior: SplitBehavior) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var wasMatch = false
    for (range, isMatch) in spans {
      let joins: Bool
      switch behavior {
      case .removed:
        if !isMatch { result.append(range) }
        continue
      case .isolated: joins = false
      case .mergedWithPrevious: joins = isMatch && !wasMatch
      case .mergedWithNext: joins = !isMatch && wasMatch
      case .contiguous: joins = isMatch == wasMatch
      }
      if joins, let last = result.popLast() { result.append(last.lowerBound..<range.upperBound) } else { result.append(range) }
      wasMatch = isMatch
    }
    return result
  }
}

/// At the matches of a pattern.
struct PatternSplit: PreTokenizer {
  let pattern: ScalarPattern
  let behavior: SplitBehavior
  let isInverted: Bool

  func split(_ piece: TextPiece) -> [TextPiece] { piece.split(at: pattern.matches(in: piece.scalars), behavior, isInverted: isInverted) }
}

/// At white space, which is left out.
struct WhitespaceSplit: PreTokenizer {
  func split(_ piece: TextPiece) -> [TextPiece] {
    let spaces = piece.scalars.indices.filter { piece.scalars[$0].properties.isWhitespace }
    return piece.split(at: spaces.map { $0..<$0 + 1 }, .removed)
  }
}

/// Spaces become a mark, and every piece begins with one.
struct MetaspaceSplit: PreTokenizer {
  /// Which pieces get a mark in front.
  enum Prepending: String, CaseIterable { case always, first, never }

  let mark: Unicode.Scalar
  let prepending: Prepending
  let splits: Bool

  func split(_ piece: TextPiece) -> [TextPiece] {
    guard !piece.scalars.isEmpty else { return [] }
    var marked = piece
    marked.scalars = piece.scalars.map { $0 == " " ? mark : $0 }
    let needsMark = prepending == .always || (prepending == .first && piece.isFirst)
    if needsMark, marked.scalars.first != mark { marked.scalars.insert(mark, at: 0) }
    guard splits else { return [marked] }
    let marks = marked.scalars.indices.filter { marked.scalars[$0] == mark }
    return marked.split(at: marks.map { $0..<$0 + 1 }, .mergedWithNext)
  }
}

/// GPT-2's: words by its pattern, unless that is turned off, and then a printable letter for every byte.
struct ByteLevelSplit: PreTokenizer {
  let addsSpace: Bool
  let pattern: ScalarPattern?

  static let words = #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  private static let letters = BytePairs.byteLetters()

  func split(_ piece: TextPiece) -> [TextPiece] {
    var spaced = piece
    if addsSpace, let first = piece.scalars.first, first != " " { spaced.scalars.insert(" ", at: 0) }
    let pieces = pattern.map { spaced.split(at: $0.matches(in: spaced.scalars), .isolated) } ?? [spaced]
    return pieces.map { TextPiece(scalars: $0.scalars.utf8Bytes.map { Self.letters[Int($0)] }, isFirst: $0.isFirst) }
  }
}

/// At numbers, as a whole or digit by digit.
struct DigitSplit: PreTokenizer {
  let isIndividual: Bool

  func split(_ piece: TextPiece) -> [TextPiece] {
    let digits = piece.scalars.indices.filter { piece.scalars[$0].properties.numericType != nil && Self.isNumber(piece.scalars[$0]) }
    return piece.split(at: digits.map { $0..<$0 + 1 }, isIndividual ? .isolated : .contiguous)
  }

  private static func isNumber(_ scalar: Unicode.Scalar) -> Bool {
    [.decimalNumber, .letterNumber, .otherNumber].contains(scalar.properties.generalCategory)
  }
}

/// Several, one after the other.
struct PreTokenizerSequence: PreTokenizer {
  let parts: [any PreTokenizer]

  func split(_ piece: TextPiece) -> [TextPiece] {
    parts.reduce([piece]) { pieces, part in pieces.flatMap(part.split).filter { !$0.scalars.isEmpty } }
  }
}

/// Every pre-tokenizer that a `tokenizer.json` may name. A new one is a line here.
enum PreTokenizers {
  private static let kinds: [String: @Sendable (TokenFileReader) throws -> any PreTokenizer] = [
    "ByteLevel": { reader in
      ByteLevelSplit(
        addsSpace: try reader.flag("add_prefix_space", true),
        pattern: try reader.flag("use_regex", true) ? try ScalarPattern(ByteLevelSplit.words) : nil)
    },
    "Digits": { DigitSplit(isIndividual: try $0.flag("individual_digits", false)) },
    "Metaspace": { reader in
      let mark = Array(try reader.text("replacement").unicodeScalars)
      guard mark.count == 1 else { throw reader.error("'replacement' is not one character") }
      // Older files say whether there is a mark in front, later ones where.
      let standard = try reader.flag("add_prefix_space", true) ? MetaspaceSplit.Prepending.always : .never
      let prepending = try reader.optionalText("prepend_scheme", of: MetaspaceSplit.Prepending.allCases.map(\.rawValue))
      return MetaspaceSplit(
        mark: mark[0], prepending: prepending.flatMap { .init(rawValue: $0) } ?? standard, splits: try reader.flag("split", true))
    },
    "Sequence": { reader in PreTokenizerSequence(parts: try reader.items("pretokenizers").map(read)) },
    "Split": { reader in
      let behavior = try reader.optionalText("behavior", of: SplitBehavior.allCases.map(\.rawValue))
      return PatternSplit(
        pattern: try reader.pattern(), behavior: behavior.flatMap { SplitBehavior(rawValue: $0) } ?? .isolated,
        isInverted: try reader.flag("invert", false))
    },
    "WhitespaceSplit": { _ in WhitespaceSplit() },
  ]

  static func read(_ reader: TokenFileReader) throws -> any PreTokenizer { try reader.kind(of: kinds)(reader) }
}
