/// Tokens that are found in a text before anything else is done to it.
struct AddedTokens: Sendable {
  /// One of them.
  struct Token: Sendable {
    var content: [Unicode.Scalar]
    var id: Int
    /// Found only where no letter, digit or underscore is beside it.
    var isSingleWord = false
    /// White space beside it belongs to it.
    var stripsLeft = false, stripsRight = false
    /// Found in the normalised text, and not in the original.
    var isNormalised = false
    /// Left out of decoded texts.
    var isSpecial = false
  }

  private let tokens: [Token]
  private let trie: ByteTrie

  /// - Parameter tokens: later ones replace earlier ones of the same content.
  init(_ tokens: [Token]) {
    self.tokens = tokens
    var trie = ByteTrie()
    for (index, token) in tokens.enumerated() { trie.insert(token.content.utf8Bytes, value: index) }
    self.trie = trie
  }

  /// A piece cut at the tokens; of those that begin at one place, the longest counts.
  func split(_ piece: TextPiece) -> [(piece: TextPiece, id: Int?)] {
    guard !tokens.isEmpty, !piece.scalars.isEmpty else { return [(piece, nil)] }
    let text = piece.scalars
    var result: [(piece: TextPiece, id: Int?)] = []
    func add(_ range: Range<Int>, _ id: Int?) {
      if !range.isEmpty { result.append((TextPiece(scalars: Array(text[range]), isFirst: piece.isFirst && range.lowerBound == 0), id)) }
    }
    let bytes = text.utf8Bytes
    var place = 0
    var done = 0
    var byte = 0
    while place < text.count {
      guard let (end, index) = trie.longest(in: bytes, from: byte) else {
        byte += UTF8.width(startingWith: bytes[byte])
        place += 1
        continue
      }
      let token = tokens[index]
      var range = place..<place + token.content.count
      (place, byte) = (range.upperBound, end)
      if token.isSingleWord, isWord(text, range.lowerBound - 1) || isWord(text, range.upperBound) { continue }
      if token.stripsLeft {
        while range.lowerBound > done, text[range.lowerBound - 1].properties.isWhitespace {
          range = range.lowerBound - 1..<range.upperBound
        }
      }
      if token.stripsRight {
        while range.upperBound < text.count, text[range.upperBound].properties.isWhitespace {
          range = range.lowerBound..<range.upperBound + 1
        }
      }
      if range.lowerBound < done { continue }
      add(done..<range.lowerBound, nil)
      add(range, token.id)
      done = range.upperBound
    }
    add(done..<text.count, nil)
    return result
  }

  private func isWord(_ text: [Unicode.Scalar], _ place: Int) -> Bool {
    guard text.indices.contains(place) else { return false }
    let properties = text[place].properties
    let kinds: [Unicode.GeneralCategory] = [.nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation]
    return properties.isAlphabetic || kinds.contains(properties.generalCategory) || properties.isJoinControl
  }
}
