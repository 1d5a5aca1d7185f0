import QuickstepNN

/// What a method did in a request, or in several.
public struct AccelerationReport: Sendable, Hashable, Codable {
  /// Name of the method.
  public var method: String
  /// Visits of its sites at which the work was done, and at which it was not.
  public var computed = 0, saved = 0
  /// Visits at which work was done because there was nothing to answer from, though the decision was otherwise.
  public var forced = 0
  /// Work besides: blocks that ran once more in their evaluation, and blocks of the method's own.
  public var additional = 0
  /// Most bytes held at once.
  public var peakBytes = 0
  /// The numbers its decisions were taken by, in order; empty for plans.
  public var signals: [Double] = []
  /// What was done, by name as in plans, one letter per evaluation from the first of ``share``.
  public var actions: [String: String] = [:]
  /// Where it acted; `nil` where one model does the whole run.
  public var share: Share?

  /// What one model does of a run that several share.
  public struct Share: Sendable, Hashable, Codable {
    /// Name of the model.
    public var model: String
    /// Its evaluations among those of the whole run.
    public var evaluations: Range<Int>

    /// What one model does of a run.
    public init(model: String, evaluations: Range<Int>) { (self.model, self.evaluations) = (model, evaluations) }
  }

  /// Whether it did anything but what happens without it.
  public var hasActed: Bool { saved > 0 || additional > 0 }

  /// A report of nothing yet.
  public init(method: String) { self.method = method }

  /// Both together; the actions are those of the first.
  public func adding(_ other: AccelerationReport) -> AccelerationReport {
    var sum = self
    (sum.computed, sum.saved, sum.forced) = (computed + other.computed, saved + other.saved, forced + other.forced)
    sum.additional += other.additional
    sum.peakBytes = max(peakBytes, other.peakBytes)
    sum.signals += other.signals
    if sum.actions.isEmpty { sum.actions = other.actions }
    return sum
  }
}

/// Counts what a method does.
final class ActionLog {
  private(set) var report: AccelerationReport
  private var codes: [String: [Character]] = [:]

  init(_ method: String) { report = AccelerationReport(method: method) }

  /// - Parameter forced: whether the decision was another one.
  func note(_ action: SiteAction, at name: String, _ context: StepContext, forced: Bool = false) {
    if action == .compute { report.computed += 1 } else { report.saved += 1 }
    if forced { report.forced += 1 }
    var row = codes[name] ?? []
    while row.count < context.evaluation { row.append("-") }
    // Branches that are evaluated apart share one letter: computed if any of them was.
    if row.count == context.evaluation { row.append(action.code) } else if action == .compute { row[context.evaluation] = "C" }
    codes[name] = row
  }

  func note(additional count: Int) { report.additional += max(0, count) }
  func note(signal: Double) { report.signals.append(signal) }
  func note(bytes: Int) { report.peakBytes = max(report.peakBytes, bytes) }

  var finished: AccelerationReport {
    var report = report
    report.actions = codes.mapValues { String($0) }
    return report
  }
}
