/// A round of candidates that are proposed together and judged together.
struct Generation: Sendable {
  /// Counts from 0.
  private(set) var number = -1
  private var waiting: [Proposal] = []
  private var results: [Trial] = []
  private var size = 0

  /// Whether all of it has been told.
  var isComplete: Bool { results.count == size }
  /// What was told of it, in order.
  var trials: [Trial] { results }

  /// Begins the next round.
  mutating func begin(_ candidates: [Candidate], fidelity: Double = 1) {
    number += 1
    waiting = candidates.reversed().map { Proposal($0, fidelity: fidelity, generation: number) }
    size = candidates.count
    results = []
  }

  /// The next of the round's proposals, at most `count`.
  mutating func take(_ count: Int) -> [Proposal] {
    let result = Array(waiting.suffix(max(0, count)).reversed())
    waiting.removeLast(result.count)
    return result
  }

  /// Adds results.
  mutating func tell(_ trials: [Trial]) { results += trials }
}
