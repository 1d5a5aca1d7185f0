import Foundation

/// A change of the text before it is cut into pieces.
protocol TextNormalizer: Sendable {
  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar]
}

extension CharacterMap: TextNormalizer {
  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] { normalised(text) }
}

/// One of Unicode's four normal forms.
struct NormalForm: TextNormalizer {
  let apply: @Sendable (String) -> String

  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] { Array(apply(text.string).unicodeScalars) }
}

/// Lower case, each character by itself.
struct LowerCase: TextNormalizer {
  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] { text.flatMap { $0.properties.lowercaseMapping.unicodeScalars } }
}

/// Every match of a pattern by a text.
struct Replacing: TextNormalizer {
  let pattern: ScalarPattern
  let content: [Unicode.Scalar]

  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var place = 0
    for match in pattern.matches(in: text) {
      result += text[place..<match.lowerBound] + content
      place = match.upperBound
    }
    return result + text[place...]
  }
}

/// A text in front of what is not empty.
struct Prepending: TextNormalizer {
  let content: [Unicode.Scalar]

  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] { text.isEmpty ? text : content + text }
}

/// No white space at the ends.
struct Stripping: TextNormalizer {
  let left: Bool, right: Bool

  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var rest = text[...]
    if left { rest = rest.drop { $0.properties.isWhitespace } }
    while right, let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
    return Array(rest)
  }
}

/// Several, one after the other.
struct NormalizerSequence: TextNormalizer {
  let parts: [any TextNormalizer]

  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] { parts.reduce(text) { $1($0) } }
}

/// Every normaliser that a `tokenizer.json` may name. A new one is a line here.
enum Normalizers {
  private static let kinds: [String: @Sendable (TokenFileReader) throws -> any TextNormalizer] = [
    "Lowercase": { _ in LowerCase() },
    "NFC": { _ in NormalForm { $0.precomposedStringWithCanonicalMapping } },
    "NFD": { _ in NormalForm { $0.decomposedStringWithCanonicalMapping } },
    "NFKC": { _ in NormalForm { $0.precomposedStringWithCompatibilityMapping } },
    "NFKD": { _ in NormalForm { $0.decomposedStringWithCompatibilityMapping } },
    "Precompiled": { reader in
      guard let data = Data(base64Encoded: try reader.text("precompiled_charsmap")) else {
        throw reader.error("'precompiled_charsmap' is no base64")
      }
      return try CharacterMap(Array(data))
    },
    "Prepend": { Prepending(content: Array(try $0.text("prepend").unicodeScalars)) },
    "Replace": { Replacing(pattern: try $0.pattern(), content: Array(try $0.text("content").unicodeScalars)) },
    "Sequence": { reader in NormalizerSequence(parts: try reader.items("normalizers").map(read)) },
    "Strip": { Stripping(left: try $0.flag("strip_left", true), right: try $0.flag("strip_right", true)) },
  ]

  static func read(_ reader: TokenFileReader) throws -> any TextNormalizer { try reader.kind(of: kinds)(reader) }
}
