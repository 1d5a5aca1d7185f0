public import QuickstepDiffusion
public import QuickstepNN
public import QuickstepTensor

/// Stands at the sites of one network in one run and tells observers what passes: the only thing that watches runs. Not to be shared between tasks.
///
/// What acts in the run acts as without it. Observers are told what a site gives, whoever made it; of the blocks of a list, what they computed.
public final class RunRecorder: SitePolicy, CallPolicy {
  private let observers: [any RunObserver]
  private let model: String
  private let base: (any SitePolicy)?
  private let clock = ContinuousClock()
  /// Seconds of what lies within the part that is being computed, innermost last.
  private var within: [Double] = []

  /// - Parameters:
  ///   - observers: who is told.
  ///   - model: name of the model, for ``RunPart``.
  ///   - base: what else acts in the run.
  public init(_ observers: [any RunObserver], model: String = "", base: (any SitePolicy)? = nil) {
    (self.observers, self.model, self.base) = (observers, model, base)
  }

  /// The network as a whole.
  package func call<Value>(_ context: StepContext, _ compute: () throws -> Value) throws -> Value { try timed(nil, context, compute) }

  public func evaluate(
    _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    func measured(_ input: [Tensor]) throws -> [Tensor] { try timed(site, context) { try compute(input) } }
    let output =
      try base.map { base in try deciding { try base.evaluate(site, input: input, context: context, compute: measured) } }
      ?? measured(input)
    try tell(site, input, output, context)
    return output
  }

  public func bypasses(_ site: Site, context: StepContext) -> Bool { base?.bypasses(site, context: context) ?? false }

  public func wantedSignal(_ site: Site, context: StepContext) -> AttentionSignal? { base?.wantedSignal(site, context: context) }

  public func take(_ signal: [Tensor], of site: Site, context: StepContext) { base?.take(signal, of: site, context: context) }

  public func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    try sequence(blocks, input: input, context: context, modulated: modulated, guest: nil, block: block)
  }

  public func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    func run(_ index: Int, _ value: [Tensor]) throws -> [Tensor] {
      let output = try timed(blocks[index], context) { try block(index, value) }
      try tell(blocks[index], value, output, context)
      return output
    }
    let output =
      try base.map { base in
        try deciding { try base.sequence(blocks, input: input, context: context, modulated: modulated, guest: guest, block: run) }
      } ?? blocks.indices.reduce(input) { try run($1, $0) }
    try tell(nil, input, output, context) { try withTensorErrors { try modulated?(input) } }
    return output
  }

  public func outputs(
    _ input: Tensor, branches: [String], context: StepContext,
    evaluate: (_ input: Tensor, _ branches: [String], _ context: StepContext) throws -> [Tensor]
  ) throws -> [Tensor] {
    let outputs = try evaluate(input, branches, context)
    for observer in observers { try observer.answered(outputs, context: context) }
    return outputs
  }

  private func tell(
    _ site: Site?, _ input: [Tensor], _ output: [Tensor], _ context: StepContext, modulated: () throws -> Tensor? = { nil }
  ) throws {
    try withoutActuallyEscaping(modulated) { modulated in
      for observer in observers where observer.watches(site) {
        try observer.visited(SiteVisit(site: site, context: context, input: input, output: output, modulated: modulated))
      }
    }
  }

  private func timed<Value>(_ site: Site?, _ context: StepContext, _ compute: () throws -> Value) rethrows -> Value {
    try framed(compute) { seconds in
      let part = RunPart(model: model, site: site?.path, branches: context.branches.count)
      for observer in observers { observer.computed(part, seconds: seconds) }
    }
  }

  private func deciding<Value>(_ work: () throws -> Value) rethrows -> Value {
    try framed(work) { seconds in for observer in observers { observer.decided(seconds: seconds) } }
  }

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
