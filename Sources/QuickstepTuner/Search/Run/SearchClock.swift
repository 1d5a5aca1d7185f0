/// Where a search takes the time from; tests bring their own.
public protocol SearchClock: Sendable {
  /// Seconds since a fixed moment; never goes back.
  var now: Double { get }
}

/// The time of the machine, while it is asleep too.
public struct SystemClock: SearchClock {
  private let start = ContinuousClock.now
  /// A clock that begins at 0.
  public init() {}
  public var now: Double {
    let elapsed = ContinuousClock.now - start
    return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
  }
}

/// How long trials will take, from those that were measured.
struct TrialTimes {
  private var recent: [Double] = []

  /// - Parameter expected: what the problem had said.
  mutating func add(_ trial: Trial, expected: Double?) {
    guard trial.seconds > 0, trial.outcome != nil else { return }
    if recent.count == 32 { recent.removeFirst() }
    recent.append(trial.seconds / (expected ?? trial.fidelity))
  }

  /// The slowest of the last 32, scaled to the effort of this one: a budget is to be kept, not to be kept on average. `nil` where nothing is known.
  func seconds(_ proposal: Proposal, expected: Double?) -> Double? {
    guard let slowest = recent.max() else { return expected }
    // A problem's own figures are corrected where they were too small.
    return expected.map { $0 * max(1, slowest) } ?? slowest * proposal.fidelity
  }
}
