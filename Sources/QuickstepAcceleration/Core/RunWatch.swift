package import QuickstepNN
package import QuickstepTensor
internal import Synchronization

/// Times and counts what the parts of networks do in runs, whatever acts there: what predictions of a run's time are made from.
///
/// One object may watch several runs. Times are of the thread that calls the network: they are of use where it waits for the results, as on a CPU.
public final class RunWatch: Sendable {
  /// A part of a network, or what of a call stands outside of all parts.
  public struct Part: Hashable, Sendable, Codable {
    /// Name of the model.
    public var model: String
    /// Dotted path of the site; `nil` for a call's rest: embeddings, first and last layers.
    public var site: String?
    /// Branches of guidance that were computed together.
    public var branches: Int

    /// A part of a network.
    public init(model: String, site: String?, branches: Int) { (self.model, self.site, self.branches) = (model, site, branches) }
  }

  /// What was seen.
  public struct Findings: Sendable {
    /// Seconds of each time a part was computed, without the parts within it.
    public var seconds: [Part: [Double]] = [:]
    /// Seconds that methods took for themselves at the sites: comparing, forecasting, copying.
    public var methodSeconds = 0.0

    /// How often each part was computed.
    public var counts: [Part: Int] { seconds.mapValues(\.count) }
    /// Of all calls together.
    public var totalSeconds: Double { seconds.values.reduce(0) { $0 + $1.reduce(0, +) } + methodSeconds }
  }

  private let state = Mutex(Findings())

  /// A watch that has seen nothing.
  public init() {}

  /// What was seen so far.
  public var findings: Findings { state.withLock { $0 } }

  /// What stands at a model's sites in one run. Not to be shared between tasks.
  /// - Parameter base: what else acts there.
  package func timer(of model: String, base: (any SitePolicy)?) -> SiteTimer { SiteTimer(self, model: model, base: base) }

  fileprivate func note(_ part: Part, _ seconds: Double) { state.withLock { $0.seconds[part, default: []].append(seconds) } }
  fileprivate func note(method seconds: Double) { state.withLock { $0.methodSeconds += seconds } }
}

/// Times a network's sites. What acts there acts as without it.
package final class SiteTimer: SitePolicy {
  private let watch: RunWatch
  private let model: String
  private let base: (any SitePolicy)?
  private let clock = ContinuousClock()
  /// Seconds of what lies within the part that is being computed, innermost last.
  private var within: [Double] = []

  fileprivate init(_ watch: RunWatch, model: String, base: (any SitePolicy)?) { (self.watch, self.model, self.base) = (watch, model, base) }

  /// The network as a whole.
  package func call<Value>(_ context: StepContext, _ compute: () throws -> Value) throws -> Value {
    try timed(RunWatch.Part(model: model, site: nil, branches: context.branches.count), compute)
  }

  package func evaluate(
    _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    let part = part(site, context)
    guard let base else { return try timed(part) { try compute(input) } }
    return try asMethod {
      try base.evaluate(site, input: input, context: context) { inner in try timed(part) { try compute(inner) } }
    }
  }

  package func bypasses(_ site: Site, context: StepContext) -> Bool { base?.bypasses(site, context: context) ?? false }

  package func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    func run(_ index: Int, _ value: [Tensor]) throws -> [Tensor] {
      try timed(part(blocks[index], context)) { try block(index, value) }
    }
    guard let base else { return try blocks.indices.reduce(input) { try run($1, $0) } }
    return try asMethod {
      try base.sequence(blocks, input: input, context: context, modulated: modulated, guest: guest, block: run)
    }
  }

  private func part(_ site: Site, _ context: StepContext) -> RunWatch.Part {
    RunWatch.Part(model: model, site: site.path, branches: context.branches.count)
  }

  private func timed<Value>(_ part: RunWatch.Part, _ compute: () throws -> Value) rethrows -> Value {
    try framed(compute) { watch.note(part, $0) }
  }

  private func asMethod<Value>(_ work: () throws -> Value) rethrows -> Value { try framed(work) { watch.note(method: $0) } }

  /// Runs something and tells how long it took without what was framed within it.
  private func framed<Value>(_ work: () throws -> Value, _ note: (Double) -> Void) rethrows -> Value {
    within.append(0)
    let start = clock.now
    defer {
      let elapsed = start.duration(to: clock.now) / .seconds(1)
      note(max(0, elapsed - within.removeLast()))
      if let outer = within.indices.last { within[outer] += elapsed }
    }
    return try work()
  }
}
