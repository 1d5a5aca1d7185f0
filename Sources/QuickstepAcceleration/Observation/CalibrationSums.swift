public import QuickstepNN
public import QuickstepTensor
internal import Synchronization

/// Adds numbers up over full runs: what calibrations of caches are made from.
public final class CalibrationSums: RunObserver {
  /// What was measured, summed over runs and branches.
  public struct Findings: Sendable {
    /// Relative change of the first block's modulated input and of the network's output since the evaluation before, one pair per evaluation.
    public var changes: [(input: Double, output: Double)] = []
    /// Per evaluation: the mean over tokens of the residual's size relative to the evaluation before, summed, and how often.
    public var ratios: [Int: (sum: Double, count: Int)] = [:]
    /// Per kind of module, lag and evaluation: the relative difference of outputs, summed over modules, and how many.
    public var differences: [String: [Int: [Int: (sum: Double, count: Int)]]] = [:]
  }

  /// What it is to watch for.
  private let kind: CacheCalibration.Kind
  private let longestLag: Int
  private let state = Mutex(State())

  fileprivate struct State {
    var findings = Findings()
    /// Of the run that is being watched, by branches.
    var modulated: [[String]: Tensor] = [:]
    var inputChanges: [Double] = []
    var output: Tensor?
    var residual: [[String]: Tensor] = [:]
    var modules: [String: [(evaluation: Int, value: Tensor)]] = [:]
  }

  /// - Parameters:
  ///   - kind: what is measured.
  ///   - longestLag: evaluations between outputs that are compared, at most.
  public init(_ kind: CacheCalibration.Kind, longestLag: Int = 3) { (self.kind, self.longestLag) = (kind, longestLag) }

  /// What was measured so far.
  public var findings: Findings { state.withLock { $0.findings } }

  /// What it measures are changes of a run that nothing else changes.
  public var needsPlainRun: Bool { true }

  /// Forgets the run that was watched, not what was measured.
  public func began() {
    state.withLock { state in
      let findings = state.findings
      state = State()
      state.findings = findings
    }
  }

  public func watches(_ site: Site?) -> Bool {
    switch kind {
    case .changes, .magnitudes: site == nil
    case .differences: site.map { [.attention, .crossAttention, .feedForward, .parallel].contains($0.kind) } ?? false
    }
  }

  public func visited(_ visit: SiteVisit) throws {
    switch kind {
    case .changes:
      guard let signal = try visit.modulated() else { return }
      try state.withLock { try $0.compare(modulated: signal, visit.context) }
    case .magnitudes:
      guard let before = visit.input.first, let after = visit.output.first else { return }
      let residual = try withTensorErrors { after - before }
      try state.withLock { try $0.compare(residual: residual, visit.context) }
    case .differences:
      guard let site = visit.site, let value = visit.output.first else { return }
      try state.withLock { try $0.compare(value, at: site, visit.context, longestLag) }
    }
  }

  public func answered(_ outputs: [Tensor], context: StepContext) throws {
    guard kind == .changes else { return }
    let joined = try withTensorErrors { Tensor.cat(outputs, dim: 0) }
    try state.withLock { try $0.compare(output: joined, context) }
  }
}

extension CalibrationSums.State {
  fileprivate mutating func compare(modulated signal: Tensor, _ context: StepContext) throws {
    if let before = modulated[context.branches] {
      inputChanges.append(try Change.relative(signal, to: before, of: "calibrate", context))
    }
    modulated[context.branches] = signal
  }

  fileprivate mutating func compare(output value: Tensor, _ context: StepContext) throws {
    if let before = output, before.shape == value.shape, !inputChanges.isEmpty {
      let change = try Change.relative(value, to: before, of: "calibrate", context)
      findings.changes.append((inputChanges.reduce(0, +) / Double(inputChanges.count), change))
    }
    (output, inputChanges) = (value, [])
  }

  fileprivate mutating func compare(residual value: Tensor, _ context: StepContext) throws {
    if let before = residual[context.branches], before.shape == value.shape {
      let ratio = try withTensorErrors {
        (value.norm(p: 2, dim: [-1]) / (before.norm(p: 2, dim: [-1]) + 1e-8)).mean()
      }.item()
      let known = findings.ratios[context.evaluation] ?? (0, 0)
      findings.ratios[context.evaluation] = (known.sum + (try Change.finite(ratio, of: "calibrate", context)), known.count + 1)
    }
    residual[context.branches] = value
  }

  fileprivate mutating func compare(_ value: Tensor, at site: Site, _ context: StepContext, _ longest: Int) throws {
    let key = "\(site.path) \(context.branches)"
    var held = modules[key] ?? []
    for former in held where former.value.shape == value.shape {
      let lag = context.evaluation - former.evaluation
      guard lag >= 1, lag <= longest else { continue }
      let error = try Change.relative(former.value, to: value, of: "calibrate", context)
      let known = findings.differences[site.kind.rawValue]?[lag]?[former.evaluation] ?? (0, 0)
      findings.differences[site.kind.rawValue, default: [:]][lag, default: [:]][former.evaluation] = (known.sum + error, known.count + 1)
    }
    held.insert((context.evaluation, value), at: 0)
    modules[key] = Array(held.prefix(longest))
  }
}
