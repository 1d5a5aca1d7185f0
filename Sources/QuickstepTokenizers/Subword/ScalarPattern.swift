/// A regular expression of the kind tokenizers cut texts with, matched character by character.
///
/// Known are alternatives, groups `(?:…)` and `(?i:…)` with or without `?`, looking ahead `(?=…)` and `(?!…)`, sets, categories `\p{…}`, `\s`,
/// `\d`, and the quantifiers `?`, `*`, `+`, `{n,m}`, greedy or possessive. Only sets can be repeated, so that no pattern takes more than
/// polynomial time, and the alternatives are tried from the left with backtracking, as Oniguruma does in the reference.
struct ScalarPattern: Sendable {
  struct Item: Sendable {
    let atom: Atom
    let minimum: Int
    let maximum: Int
    let isPossessive: Bool
  }

  indirect enum Atom: Sendable {
    case set(ScalarSet)
    case group([[Item]])
    case ahead([[Item]], isWanted: Bool)
  }

  let alternatives: [[Item]]

  /// - Throws: ``TokenizerError`` that quotes the pattern.
  init(_ text: String) throws {
    var parser = ScalarPatternParser(text)
    alternatives = try parser.parse()
  }

  /// The pattern that is this text.
  init(literal text: String) {
    alternatives = [text.unicodeScalars.map { Item(atom: .set(.single($0)), minimum: 1, maximum: 1, isPossessive: false) }]
  }

  /// Matches from the left that do not overlap and are not empty.
  func matches(in text: [Unicode.Scalar]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var place = 0
    while place < text.count {
      if let end = end(of: alternatives, text, place, rest: { $0 }), end > place {
        result.append(place..<end)
        place = end
      } else {
        place += 1
      }
    }
    return result
  }

  /// Where the first alternative that matches at `place`, and lets `rest` match behind it, ends for `rest`.
  private func end(of alternatives: [[Item]], _ text: [Unicode.Scalar], _ place: Int, rest: (Int) -> Int?) -> Int? {
    for items in alternatives {
      if let found = end(of: items[...], text, place, rest: rest) { return found }
    }
    return nil
  }

  private func end(of items: ArraySlice<Item>, _ text: [Unicode.Scalar], _ place: Int, rest: (Int) -> Int?) -> Int? {
    guard let item = items.first else { return rest(place) }
    let others = items.dropFirst()
    switch item.atom {
    case .set(let set):
      var end = place
      while end < text.count, end - place < item.maximum, set.contains(text[end]) { end += 1 }
      if item.isPossessive { return end - place >= item.minimum ? self.end(of: others, text, end, rest: rest) : nil }
      while end - place >= item.minimum {
        if let found = self.end(of: others, text, end, rest: rest) { return found }
        end -= 1
      }
      return nil
    case .group(let inner):
      let found = end(of: inner, text, place) { self.end(of: others, text, $0, rest: rest) }
      return found ?? (item.minimum == 0 ? end(of: others, text, place, rest: rest) : nil)
    case .ahead(let inner, let isWanted):
      guard (end(of: inner, text, place, rest: { $0 }) != nil) == isWanted else { return nil }
      return end(of: others, text, place, rest: rest)
    }
  }
}
