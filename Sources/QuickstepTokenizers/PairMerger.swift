/// Byte-pair merges on numbers of tokens: of all neighbours that may be merged, those of the lowest rank are, the leftmost first, until none
/// are left (Sennrich et al. 2016, arXiv 1508.07909).
struct PairMerger: Sendable {
  private struct Merge: Sendable {
    let rank: Int
    let result: Int
  }

  private var merges: [UInt64: Merge]

  init(capacity: Int) { merges = [UInt64: Merge](minimumCapacity: capacity) }

  /// Of a pair that is listed twice the last rank counts, as in the reference. Numbers must be below 2³².
  mutating func add(_ left: Int, _ right: Int, rank: Int, result: Int) {
    merges[Self.key(left, right)] = Merge(rank: rank, result: result)
  }

  private static func key(_ left: Int, _ right: Int) -> UInt64 { UInt64(left) << 32 | UInt64(right) }

  /// Time grows as n·log n. Every merge makes the row shorter, so that it ends whatever the merges are.
  func merged(_ symbols: [Int]) -> [Int] {
    guard symbols.count > 1 else { return symbols }
    var row = SymbolRow(symbols)
    var heap = MinHeap<Candidate>()
    func offer(_ left: Int, _ row: SymbolRow) {
      guard let right = row.next(left), let merge = merges[Self.key(row.symbols[left], row.symbols[right])] else { return }
      heap.insert(Candidate(rank: merge.rank, place: left, left: row.symbols[left], right: row.symbols[right], result: merge.result))
    }
    for place in symbols.indices { offer(place, row) }
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
