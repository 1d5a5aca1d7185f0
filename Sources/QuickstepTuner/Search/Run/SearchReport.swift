/// Where a search stands.
public struct SearchProgress: Sendable {
  /// Trials the searcher has been told, those of earlier calls included.
  public var told: Int
  /// Those of them that were taken from the archive.
  public var resumed: Int
  /// Trials that failed.
  public var failures: Int
  /// Trials being evaluated.
  public var running: Int
  /// Since the call began.
  public var seconds: Double
  /// Seconds of this call; `nil` where it is not limited.
  public var budget: Double?
  /// Size of the front of feasible trials of full fidelity.
  public var frontSize: Int
  /// What was told last; `nil` before the first.
  public var latest: Trial?
  /// Whether the latest joined the front.
  public var improved: Bool
}

/// What a call of ``SearchRun/execute(progress:)`` came to.
public struct SearchReport: Sendable {
  /// Why it ended.
  public enum Stop: String, Sendable, Codable {
    /// The searcher has nothing left to ask.
    case finished
    /// The next trial would not have ended within the budget.
    case budget
    /// As many trials as wanted.
    case trials
    /// The task was cancelled.
    case cancelled
  }

  /// Why it ended.
  public var stop: Stop
  /// Everything the searcher was told, in order.
  public var trials: [Trial]
  /// The front of feasible trials of full fidelity; of the whole run, not only of this call.
  public var front: [Trial]
  /// Trials that were taken from the archive.
  public var resumed: Int
  /// Wall time of this call.
  public var seconds: Double
}
