internal import Synchronization

/// Times and counts what the parts of networks do in runs, whatever acts there: what predictions of a run's time are made from.
///
/// One object may watch several runs. Times are of the thread that calls the network: they are of use where it waits for the results, as on a CPU.
public final class RunWatch: RunObserver {
  /// What was seen.
  public struct Findings: Sendable {
    /// Seconds of each time a part was computed, without the parts within it.
    public var seconds: [RunPart: [Double]] = [:]
    /// Seconds that methods took for themselves at the sites: comparing, forecasting, copying.
    public var methodSeconds = 0.0

    /// How often each part was computed.
    public var counts: [RunPart: Int] { seconds.mapValues(\.count) }
    /// Of all calls together.
    public var totalSeconds: Double { seconds.values.reduce(0) { $0 + $1.reduce(0, +) } + methodSeconds }
  }

  private let state = Mutex(Findings())

  /// A watch that has seen nothing.
  public init() {}

  /// What was seen so far.
  public var findings: Findings { state.withLock { $0 } }

  public func computed(_ part: RunPart, seconds: Double) { state.withLock { $0.seconds[part, default: []].append(seconds) } }
  public func decided(seconds: Double) { state.withLock { $0.methodSeconds += seconds } }
}
