/// One bracket of successive halving: rungs of ever fewer candidates with ever more effort.
struct HalvingBracket: Sendable {
  /// Candidates and effort of one rung.
  struct Rung: Sendable, Hashable {
    var count: Int
    var fidelity: Double
  }

  let rungs: [Rung]
  /// The rung to come.
  private(set) var next = 0

  /// Rung i of n has max(1, ⌊count·η^−i⌋) candidates with effort η^−(n − 1 − i): the last one has full effort.
  init(count: Int, rungs: Int, factor: Int) {
    var current: [Rung] = []
    var (size, divisor) = (count, (1..<max(rungs, 1)).reduce(1.0) { value, _ in value * Double(factor) })
    for _ in 0..<rungs {
      current.append(Rung(count: max(1, size), fidelity: 1 / divisor))
      size /= factor
      divisor /= Double(factor)
    }
    self.rungs = current
  }

  /// Moves on: all that are to be evaluated, from those that were.
  /// - Parameter trials: of the rung before; the best are kept, in NSGA-II's order. Empty before the first rung.
  /// - Returns: candidates, or `nil` after the last rung or where all have failed.
  mutating func promote(_ trials: [Trial]) -> (candidates: [Candidate], fidelity: Double)? {
    guard next < rungs.count else { return nil }
    defer { next += 1 }
    let measured = Ranking(trials).order.filter { trials[$0].outcome != nil }
    guard !measured.isEmpty else { return nil }
    return (measured.prefix(rungs[next].count).map { trials[$0].candidate }, rungs[next].fidelity)
  }

  /// Begins with these candidates.
  mutating func begin(_ candidates: [Candidate]) -> (candidates: [Candidate], fidelity: Double)? {
    guard next == 0, !candidates.isEmpty, let first = rungs.first else { return nil }
    next = 1
    return (candidates, first.fidelity)
  }
}
