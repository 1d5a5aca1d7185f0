import Foundation
import QuickstepTuner
import Synchronization

/// A problem for tests of the loop: the mixed space of the searchers' tests, counting what it is asked.
final class CountedProblem: SearchProblem, Sendable {
  let space = SearcherTests.mixed
  let objectives = ["quality", "effort"]
  let identity: String
  /// How often each candidate was evaluated.
  let counts = Mutex<[Proposal: Int]>([:])
  /// Called before every evaluation with how many there were.
  let before: @Sendable (Int) async throws -> Void

  init(identity: String = "test", before: @escaping @Sendable (Int) async throws -> Void = { _ in }) {
    self.identity = identity
    self.before = before
  }

  func evaluate(_ candidate: Candidate, fidelity: Double) async throws -> Outcome {
    let proposal = Proposal(candidate, fidelity: fidelity)
    let count = counts.withLock {
      $0[proposal, default: 0] += 1
      return $0.values.reduce(0, +)
    }
    try await before(count)
    guard let outcome = SearcherTests.evaluate(proposal) else { throw SearchError("times of 40 do not work") }
    return outcome
  }

  var total: Int { counts.withLock { $0.values.reduce(0, +) } }
}

/// A clock that stands until it is moved.
final class HandClock: SearchClock, Sendable {
  private let time = Mutex(0.0)
  var now: Double { time.withLock { $0 } }
  func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
}

/// Takes as long as `seconds` says, by a clock that is moved by hand.
struct TimedProblem: SearchProblem {
  var space = SearcherTests.mixed
  var objectives = ["quality", "effort"]
  var identity = "timed"
  var clock: HandClock
  var seconds: @Sendable (Proposal) -> Double
  var expected: (@Sendable (Proposal) -> Double)?

  func evaluate(_ candidate: Candidate, fidelity: Double) async throws -> Outcome {
    let proposal = Proposal(candidate, fidelity: fidelity)
    clock.advance(seconds(proposal))
    return Outcome(objectives: [candidate.values[0], candidate.values[1]])
  }
  func expectedSeconds(_ candidate: Candidate, fidelity: Double) -> Double? { expected?(Proposal(candidate, fidelity: fidelity)) }
}

extension Trial {
  /// Without the time it took, which is never the same.
  var timeless: Trial {
    var copy = self
    copy.seconds = 0
    return copy
  }
}
