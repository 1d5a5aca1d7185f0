/// The unigram language model of SentencePiece (Kudo 2018, arXiv 1804.10959): of all ways to cut a text into pieces, the one with the greatest
/// sum of log-probabilities, found by Viterbi's algorithm.
struct UnigramModel: SubwordModel {
  /// How sums are rounded; ties between cuts depend on it.
  enum Precision: Sendable {
    /// As the `tokenizers` library adds.
    case double
    /// As SentencePiece does: sums in double, kept in single precision.
    case single
  }

  private let scores: [Double]
  private let trie: ByteTrie
  /// Numbers of the pieces that stand for bytes, where the vocabulary has them all and they are to be used.
  private let byteIDs: [Int]?
  private let unknownID: Int
  private let unknownScore: Double
  private let precision: Precision

  /// - Parameters:
  ///   - pieces: texts and scores by number; a text of nil is never found in a text.
  ///   - unknownID: stands for characters that no piece has.
  ///   - least: the smallest score that counts; an unknown character has 10 less.
  ///   - byteIDs: 256 numbers for the bytes of unknown characters.
  /// - Throws: ``TokenizerError`` for numbers and pieces that make no model.
  init(pieces: [(text: [UInt8]?, score: Double)], unknownID: Int, least: Double, byteIDs: [Int]?, precision: Precision) throws {
    guard pieces.indices.contains(unknownID) else {
      throw TokenizerError("the unknown token has the number \(unknownID); the vocabulary has \(pieces.count)")
    }
    var trie = ByteTrie()
    for (id, piece) in pieces.enumerated() {
      guard piece.score.isFinite else { throw TokenizerError("the score of token \(id) is \(piece.score)") }
      guard let text = piece.text else { continue }
      guard text.count <= 1024 else { throw TokenizerError("token \(id) has \(text.count) bytes; allowed: at most 1024") }
      trie.insert(text, value: id)
    }
    scores = pieces.map(\.score)
    self.trie = trie
    self.byteIDs = byteIDs
    self.unknownID = unknownID
    self.precision = precision
    unknownScore = precision == .single ? Double(Float(least) - 10) : least - 10
  }

  private struct Node {
    var score = 0.0
    var start = -1
    var id = 0
  }

  func encode(_ piece: [Unicode.Scalar]) -> [Int] { encode(bytes: piece.utf8Bytes) }

  func encode(bytes text: [UInt8]) -> [Int] {
    guard !text.isEmpty else { return [] }
    let nodes = bestNodes(text)
    var result: [Int] = []
    var end = text.count
    while end > 0 {
      let node = nodes[end]
      var start = node.start
      // Neighbouring unknown characters make one token.
      if node.id == unknownID {
        while start > 0, nodes[start].id == unknownID { start = nodes[start].start }
        result += unknown(text[start..<end]).reversed()
      } else {
        result.append(node.id)
      }
      end = start
    }
    return result.reversed()
  }

  /// For every end of a character, the last piece of the best cut up to there.
  private func bestNodes(_ text: [UInt8]) -> [Node] {
    var nodes = [Node](repeating: Node(), count: text.count + 1)
    var start = 0
    while start < text.count {
      let before = nodes[start].score
      let length = UTF8.width(startingWith: text[start])
      var hasCharacter = false
      func offer(_ end: Int, _ id: Int, _ candidate: Double) {
        guard nodes[end].start < 0 || candidate > nodes[end].score else { return }
        nodes[end] = Node(score: precision == .single ? Double(Float(candidate)) : candidate, start: start, id: id)
      }
      trie.prefixes(of: text, from: start) { end, id in
        offer(end, id, scores[id] + before)
        if end - start == length { hasCharacter = true }
      }
      if !hasCharacter {
        let sum = unknownScore + before
        offer(min(start + length, text.count), unknownID, precision == .single ? Double(Float(sum)) : sum)
      }
      start += length
    }
    return nodes
  }

  private func unknown(_ text: ArraySlice<UInt8>) -> [Int] {
    // The reference looks the joined text up once more.
    if precision == .double, let id = trie[text] { return [id] }
    return byteIDs.map { ids in text.map { ids[Int($0)] } } ?? [unknownID]
  }
}

extension UTF8 {
  /// Bytes of the character that begins with this byte.
  static func width(startingWith byte: UInt8) -> Int { byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4 }
}
