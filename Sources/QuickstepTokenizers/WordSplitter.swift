import Foundation

/// How texts are cut into words. Part of every vocabulary's meaning: changing it makes trained models see other numbers.
enum WordSplitter {
  /// Lower-cased words: runs of letters, digits and the marks on them. Hyphens and apostrophes between two such characters belong to
  /// the word; typographic forms of them become `-` and `'`. Everything else separates.
  static func words(in text: String) -> [String] {
    // Composed form, so that an accent typed as its own character meets the vocabulary's spelling.
    let scalars = Array(text.lowercased().precomposedStringWithCanonicalMapping.unicodeScalars)
    var words: [String] = []
    var word = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if belongsToWord(scalar) {
        word.append(scalar)
      } else if let joiner = joiner(scalar), !word.isEmpty, index + 1 < scalars.count, belongsToWord(scalars[index + 1]) {
        word.append(joiner)
      } else if !word.isEmpty {
        words.append(String(word))
        word = String.UnicodeScalarView()
      }
    }
    if !word.isEmpty { words.append(String(word)) }
    return words
  }

  /// The pieces of a word around hyphens and apostrophes; a possessive `s` is left out: `fox's` is about a fox.
  static func parts(of word: String) -> [String] {
    var parts: [String] = []
    for piece in word.split(separator: "-") {
      let halves = piece.split(separator: "'").map(String.init)
      parts.append(contentsOf: halves.count == 2 && halves[1] == "s" ? [halves[0]] : halves)
    }
    return parts
  }

  /// Guesses at the singular of an English plural, most likely first. Only the vocabulary knows which guess is a word.
  static func singulars(of word: String) -> [String] {
    guard word.count > 2, word.hasSuffix("s"), !word.hasSuffix("ss") else { return [] }
    var guesses: [String] = []
    if word.hasSuffix("'s") { guesses.append(String(word.dropLast(2))) }
    if word.hasSuffix("ies") { guesses.append(word.dropLast(3) + "y") }
    guesses.append(String(word.dropLast()))
    if word.hasSuffix("ves") { guesses += [word.dropLast(3) + "f", word.dropLast(3) + "fe"] }
    if word.hasSuffix("es") { guesses.append(String(word.dropLast(2))) }
    return guesses
  }

  private static func belongsToWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber, .otherNumber,
      .nonspacingMark, .spacingMark:
      // Variation selectors and enclosing marks come with emoji, not with words.
      return !scalar.properties.isVariationSelector
    default:
      return false
    }
  }

  private static func joiner(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
    switch scalar {
    case "-", "\u{2010}", "\u{2011}": "-"
    case "'", "\u{2019}", "\u{02BC}": "'"
    default: nil
    }
  }
}
