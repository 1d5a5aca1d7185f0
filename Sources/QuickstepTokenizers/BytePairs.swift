/// Byte-pair merges over the bytes of a word.
struct BytePairs: Sendable {
  private struct Merge: Sendable {
    let rank: Int
    let result: Int
  }

  private let inner: [Int]
  private let last: [Int]
  private let merges: [UInt64: Merge]
  private let bytes: [Unicode.Scalar: UInt8]

  /// - Parameters:
  ///   - merges: pairs of token texts by rank.
  ///   - wordEnd: what the last symbol of a word is marked with; may be empty.
  /// - Throws: ``TokenizerError`` when the vocabulary lacks a byte, or a part or the result of a merge.
  init(vocabulary: [String: Int], merges pairs: [(String, String)], wordEnd: String) throws {
    let letters = Self.byteLetters()
    func id(_ token: String) throws -> Int {
      guard let id = vocabulary[token] else { throw TokenizerError("vocabulary: there is no '\(token.prefix(40))'") }
      return id
    }
    inner = try letters.map { try id(String($0)) }
    last = try letters.map { try id(String($0) + wordEnd) }
    var merges = [UInt64: Merge](minimumCapacity: pairs.count)
    for (rank, pair) in pairs.enumerated() {
      let merge = Merge(rank: rank, result: try id(pair.0 + pair.1))
      // Of a pair that is listed twice the last rank counts, as in the reference.
      merges[Self.key(try id(pair.0), try id(pair.1))] = merge
    }
    self.merges = merges
    bytes = Dictionary(uniqueKeysWithValues: zip(letters, UInt8.min...UInt8.max))
  }

  private static func key(_ left: Int, _ right: Int) -> UInt64 { UInt64(left) << 32 | UInt64(right) }

  /// A printable letter for every byte, as GPT-2 has them: printable bytes of Latin-1 stand for themselves, the others follow from U+0100.
  static func byteLetters() -> [Unicode.Scalar] {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
      defer { if !isPrintable { next += 1 } }
      return Unicode.Scalar(isPrintable ? byte : next) ?? " "
    }
  }

  /// The text that a row of byte letters stands for; what is no byte letter stays.
  func text(_ letters: String) -> String {
    String(decoding: letters.unicodeScalars.flatMap { bytes[$0].map { [$0] } ?? Array(String($0).utf8) }, as: UTF8.self)
  }

  /// Token numbers of one word. Time grows as n·log n with its bytes.
  func encode(_ word: String) -> [Int] {
    let utf8 = Array(word.utf8)
    guard !utf8.isEmpty else { return [] }
    var row = SymbolRow(utf8.enumerated().map { $0.offset == utf8.count - 1 ? last[Int($0.element)] : inner[Int($0.element)] })
    var heap = MinHeap<Candidate>()
    func offer(_ left: Int, _ row: SymbolRow) {
      guard let right = row.next(left), let merge = merges[Self.key(row.symbols[left], row.symbols[right])] else { return }
      heap.insert(Candidate(rank: merge.rank, place: left, left: row.symbols[left], right: row.symbols[right], result: merge.result))
    }
    for place in utf8.indices { offer(place, row) }
    while let best = heap.popLeast() {
      // An entry is out of date when one of its two symbols has been merged since.
      guard let right = row.next(best.place), row.symbols[best.place] == best.left, row.symbols[right] == best.right else { continue }
      row.merge(best.place, right, into: best.result)
      offer(best.place, row)
      if let left = row.previous(best.place) { offer(left, row) }
    }
    return row.remaining
  }

  /// A pair that can be merged; the leftmost of equal ranks comes first.
  private struct Candidate: Comparable {
    let rank: Int, place: Int, left: Int, right: Int, result: Int
    static func < (a: Candidate, b: Candidate) -> Bool { (a.rank, a.place) < (b.rank, b.place) }
  }
}

/// Symbols in a row, linked both ways so that merging two takes constant time. A merged-away place holds −1.
private struct SymbolRow {
  private(set) var symbols: [Int]
  private var following: [Int]
  private var preceding: [Int]

  init(_ symbols: [Int]) {
    self.symbols = symbols
    following = symbols.indices.map { $0 + 1 }
    preceding = symbols.indices.map { $0 - 1 }
  }

  func next(_ place: Int) -> Int? { symbols[place] >= 0 && following[place] < symbols.count ? following[place] : nil }
  func previous(_ place: Int) -> Int? { preceding[place] >= 0 ? preceding[place] : nil }
  var remaining: [Int] { symbols.filter { $0 >= 0 } }

  mutating func merge(_ left: Int, _ right: Int, into symbol: Int) {
    symbols[left] = symbol
    symbols[right] = -1
    following[left] = following[right]
    if following[left] < symbols.count { preceding[following[left]] = left }
  }
}

/// A binary heap with the least element on top.
private struct MinHeap<Element: Comparable> {
  private var elements: [Element] = []

  mutating func insert(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0, elements[child] < elements[(child - 1) / 2] {
      elements.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func popLeast() -> Element? {
    guard let least = elements.first, let final = elements.popLast() else { return nil }
    guard !elements.isEmpty else { return least }
    elements[0] = final
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < elements.count && elements[child] < elements[smallest] {
        smallest = child
      }
      if smallest == parent { return least }
      elements.swapAt(parent, smallest)
      parent = smallest
    }
  }
}
