import QuickstepNN

/// When gates that decide while running are not asked: what keeps a run from drifting whatever its signals say.
public struct GateLimits: Sendable, Hashable {
  /// Evaluations at the beginning that are full.
  public var warmup: Int
  /// Evaluations that may be left out in a row; 0: any number.
  public var continuous: Int
  /// Evaluations that may be left out in all; 0: any number.
  public var total: Int
  /// Whether the last evaluation is full.
  public var endsFull: Bool

  /// Limits of a gate; without arguments there are none.
  public init(warmup: Int = 0, continuous: Int = 0, total: Int = 0, endsFull: Bool = false) {
    (self.warmup, self.continuous, self.total, self.endsFull) = (warmup, continuous, total, endsFull)
  }
}

/// ``GateLimits`` in one request.
struct GateCount {
  let limits: GateLimits
  private var row = 0, total = 0

  init(_ limits: GateLimits) { self.limits = limits }

  /// Whether this evaluation has to be full.
  func demandsFull(_ moment: GateMoment) -> Bool {
    moment.lastComputed == nil || moment.context.evaluation < limits.warmup || (limits.endsFull && moment.isLast)
      || (limits.continuous > 0 && row >= limits.continuous) || (limits.total > 0 && total >= limits.total)
  }

  /// Counts what was decided, and gives it back.
  mutating func counting(_ action: SiteAction) -> SiteAction {
    if action == .compute { row = 0 } else { (row, total) = (row + 1, total + 1) }
    return action
  }
}
