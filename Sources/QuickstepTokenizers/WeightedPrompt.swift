/// A prompt in the grammar of AUTOMATIC1111's web interface: texts with weights.
///
/// `(text)` multiplies the weight by 1.1, `[text]` divides it by 1.1, `(text:1.3)` multiplies it by 1.3; all of them nest. A backslash before a
/// bracket or a backslash makes it plain text; any other backslash is left out. Brackets that do not close count to the end; those that
/// close nothing are text. `BREAK` as a word of its own, outside brackets, begins a new chunk of tokens. The rest of the web interface's
/// language (`AND`, `[from:to:when]`, `[a|b]`) is no part of this grammar: it stays text.
///
/// Results equal those of the interface's `parse_prompt_attention`, except that a weight that is no number, such as `(x:1.2.3)`, which
/// is an error there, is text.
public struct WeightedPrompt: Sendable, Hashable {
  /// A stretch of text under one weight.
  public struct Part: Sendable, Hashable {
    /// May be empty.
    public var text: String
    /// 1 leaves it alone.
    public var weight: Double

    /// Whether it stands for the end of a chunk. Brackets around the word `BREAK` take this meaning from it.
    public var isBreak: Bool { text == "BREAK" && weight == -1 }
  }

  /// Neighbours have different weights; at least one.
  public let parts: [Part]

  /// Whether any weight is not 1; a break does not count.
  public var hasWeights: Bool { parts.contains { $0.weight != 1 && !$0.isBreak } }

  /// Weights that vectors can be multiplied by and keep their digits; a prompt worth drawing has far smaller ones.
  public static let allowedWeights = -1000.0...1000.0

  /// The first weight outside ``allowedWeights``: a hundred nested brackets make one.
  public var excessiveWeight: Double? { parts.first { !Self.allowedWeights.contains($0.weight) }?.weight }

  /// Reads a prompt; every text is one.
  public init(_ text: String) {
    var builder = Builder()
    var scanner = Scanner(text)
    while let token = scanner.next() { builder.add(token) }
    parts = builder.finish()
  }
}

extension WeightedPrompt {
  fileprivate enum Token {
    case text([Unicode.Scalar])
    /// A character behind a backslash, or nothing.
    case literal([Unicode.Scalar])
    case open(isRound: Bool)
    case close(isRound: Bool)
    /// `:1.3)`, and the text it is where nothing closes.
    case weight(Double, [Unicode.Scalar])
  }

  fileprivate struct Scanner {
    private let scalars: [Unicode.Scalar]
    private var place = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func next() -> Token? {
      guard place < scalars.count else { return nil }
      let start = place
      place += 1
      switch scalars[start] {
      case "\\":
        guard place < scalars.count, "()[]\\".unicodeScalars.contains(scalars[place]) else { return .literal([]) }
        place += 1
        return .literal([scalars[place - 1]])
      case "(": return .open(isRound: true)
      case "[": return .open(isRound: false)
      case ")": return .close(isRound: true)
      case "]": return .close(isRound: false)
      case ":":
        guard let (weight, end) = weight(from: place) else { return .text([":"]) }
        place = end
        return .weight(weight, Array(scalars[start..<end]))
      default:
        while place < scalars.count, !"\\()[]:".unicodeScalars.contains(scalars[place]) { place += 1 }
        return .text(Array(scalars[start..<place]))
      }
    }

    /// A number and the bracket behind it, with white space around the number.
    private func weight(from start: Int) -> (weight: Double, end: Int)? {
      var end = start
      func skipSpace() { while end < scalars.count, scalars[end].isSpaceOfWords { end += 1 } }
      skipSpace()
      var number = ""
      if end < scalars.count, scalars[end] == "+" || scalars[end] == "-" {
        number.unicodeScalars.append(scalars[end])
        end += 1
      }
      while end < scalars.count, let digit = Self.digit(scalars[end]) {
        number += digit
        end += 1
      }
      skipSpace()
      guard end < scalars.count, scalars[end] == ")", let weight = Self.number(number) else { return nil }
      return (weight, end + 1)
    }

    /// Decimal digits of all scripts count.
    private static func digit(_ scalar: Unicode.Scalar) -> String? {
      if scalar == "." { return "." }
      guard scalar.properties.generalCategory == .decimalNumber, let value = scalar.properties.numericValue else { return nil }
      return String(Int(value))
    }

    /// Digits with at most one point, which may stand at either end.
    private static func number(_ text: String) -> Double? {
      let digits = text.filter(\.isNumber).count
      guard digits > 0, text.filter({ $0 == "." }).count <= 1 else { return nil }
      var whole = text.hasSuffix(".") ? text + "0" : text
      if let point = whole.firstIndex(of: "."), point == whole.startIndex || !whole[whole.index(before: point)].isNumber {
        whole.insert("0", at: point)
      }
      return Double(whole).flatMap { $0.isFinite ? $0 : nil }
    }
  }

  fileprivate struct Builder {
    private var parts: [Part] = []
    private var round: [Int] = [], square: [Int] = []

    mutating func add(_ token: Token) {
      switch token {
      case .literal(let scalars): parts.append(Part(text: scalars.string, weight: 1))
      case .open(let isRound):
        if isRound { round.append(parts.count) } else { square.append(parts.count) }
      case .close(let isRound):
        guard let start = isRound ? round.popLast() : square.popLast() else { return addText(isRound ? [")"] : ["]"]) }
        multiply(from: start, isRound ? 1.1 : 1 / 1.1)
      case .weight(let weight, let scalars):
        guard let start = round.popLast() else { return addText(scalars) }
        multiply(from: start, weight)
      case .text(let scalars): addText(scalars)
      }
    }

    private mutating func multiply(from start: Int, _ factor: Double) {
      for index in start..<parts.count { parts[index].weight *= factor }
    }

    private mutating func addText(_ scalars: [Unicode.Scalar]) {
      var rest = scalars[...]
      while let word = Self.breakWord(in: rest) {
        parts.append(Part(text: rest[..<word.lowerBound].string, weight: 1))
        parts.append(Part(text: "BREAK", weight: -1))
        rest = rest[word.upperBound...]
      }
      parts.append(Part(text: rest.string, weight: 1))
    }

    /// The first `BREAK` that is a word of its own, with the white space around it.
    private static func breakWord(in text: ArraySlice<Unicode.Scalar>) -> Range<Int>? {
      let word = Array("BREAK".unicodeScalars)
      for start in text.indices where text[start...].starts(with: word) {
        let end = start + word.count
        if start > text.startIndex, text[start - 1].isPartOfWords { continue }
        if end < text.endIndex, text[end].isPartOfWords { continue }
        let before = text[..<start].reversed().prefix(while: \.isSpaceOfWords).count
        let after = text[end...].prefix(while: \.isSpaceOfWords).count
        return start - before..<end + after
      }
      return nil
    }

    mutating func finish() -> [Part] {
      for start in round { multiply(from: start, 1.1) }
      for start in square { multiply(from: start, 1 / 1.1) }
      var result: [Part] = []
      for part in parts {
        if let last = result.last, last.weight == part.weight {
          result[result.count - 1].text += part.text
        } else {
          result.append(part)
        }
      }
      return result.isEmpty ? [Part(text: "", weight: 1)] : result
    }
  }
}

extension Unicode.Scalar {
  /// White space as Python's regular expressions know it.
  fileprivate var isSpaceOfWords: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }

  /// Letters, numbers and the underscore, as Python's regular expressions know them.
  fileprivate var isPartOfWords: Bool {
    let numbers: [Unicode.GeneralCategory] = [.decimalNumber, .letterNumber, .otherNumber]
    let letters: [Unicode.GeneralCategory] = [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter]
    return self == "_" || (letters + numbers).contains(properties.generalCategory)
  }
}
