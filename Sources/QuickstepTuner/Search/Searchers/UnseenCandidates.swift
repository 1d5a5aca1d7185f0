import QuickstepNN

/// What a searcher has proposed before, and how to come to something new.
struct UnseenCandidates: Sendable {
  private var seen: Set<Candidate> = []
  private var known: [Candidate]

  /// - Parameter space: its known candidates are handed out by ``takeKnown()`` first.
  init(_ space: SearchSpace) { known = space.known.reversed() }

  /// How many were handed out.
  var count: Int { seen.count }

  /// The next of the space's known candidates.
  mutating func takeKnown() -> Candidate? {
    guard let candidate = known.popLast() else { return nil }
    seen.insert(candidate)
    return candidate
  }

  /// Whether a candidate was handed out before.
  func contains(_ candidate: Candidate) -> Bool { seen.contains(candidate) }

  /// The first of `attempts` drawn candidates that is new; it is no longer new afterwards.
  mutating func take(attempts: Int, _ draw: () -> Candidate) -> Candidate? {
    for _ in 0..<attempts {
      let candidate = draw()
      if seen.insert(candidate).inserted { return candidate }
    }
    return nil
  }

  /// A random candidate that is new. `nil` where the space has no more, or a thousand draws found none.
  mutating func takeRandom(of space: SearchSpace, _ random: inout SplitMix64, through stage: Int = .max) -> Candidate? {
    take(attempts: 1000) { space.random(using: &random, through: stage) }
  }
}
