public import QuickstepAcceleration
public import QuickstepDiffusion
public import QuickstepNN
public import QuickstepTensor

/// Laws that every method around whole calls of a network obeys (evaluations that are left out, cached branches of guidance, several evaluations
/// decoded as one), together with what it does at the network's sites. Each checker throws ``LawViolation``.
///
/// The setting is a guided run of a network; methods come as an `Acceleration` that was made for ``run``. ``SitePolicyLaws`` has the laws of single
/// policies inside a network.
public struct CallPolicyLaws {
  /// One call of a network: `[k·B, …]`, the branches of the evaluation's context one after the other, to the same shape.
  public typealias Model = (Tensor, Evaluation) throws -> Tensor

  /// The network.
  public let model: Model
  /// The run as methods see it.
  public let run: RunOutline
  /// Branches and weights.
  public let guidance: Guidance
  /// How branches are evaluated.
  public var batching: GuidedDenoiser.Batching

  /// - Parameters:
  ///   - model: the network.
  ///   - run: its steps, levels and sites; the branches of its evaluations are set to those of `guidance`.
  ///   - guidance: branches and weights.
  ///   - batching: how branches are evaluated.
  public init(_ model: @escaping Model, run: RunOutline, guidance: Guidance, batching: GuidedDenoiser.Batching = .together) {
    (self.model, self.guidance, self.batching) = (model, guidance, batching)
    var own = run
    for index in run.calls.indices { own.calls[index].branches = guidance.active(Self.context(index, of: run)).map(\.name) }
    self.run = own
  }

  /// Where an evaluation of a run stands.
  static func context(_ index: Int, of run: RunOutline) -> StepContext {
    StepContext(
      step: run.calls[index].step, stepCount: run.stepCount, evaluation: index, evaluationCount: run.evaluations,
      level: run.calls[index].level)
  }

  /// Methods that change nothing, or never come to act, give the bits of a run without any.
  /// - Parameter acceleration: with such parameters.
  public func checkNeutral(_ name: String, _ acceleration: Acceleration, initial: Tensor) throws {
    let plain = try Request(self, session: nil, initial: initial).finish()
    let watched = try Request(self, session: acceleration.makeSession(), initial: initial).finish()
    try Self.compare(plain, watched, "\(name), though neutral, changes")
  }

  /// State lives in the session alone: two requests of which one is ahead of the other give the bits of two separate ones, and so does a
  /// repetition.
  public func checkIsolation(_ name: String, _ acceleration: Acceleration, initials: (Tensor, Tensor)) throws {
    func request(_ initial: Tensor) throws -> Request { try Request(self, session: acceleration.makeSession(), initial: initial) }
    let (first, second) = (try request(initials.0), try request(initials.1))
    _ = (try first.finish(), try second.finish())
    try Self.compare(first.states, request(initials.0).finish(), "\(name): a repetition changes")
    let (a, b) = (try request(initials.0), try request(initials.1))
    try interleave(a.advance, b.advance)
    for (alone, interleaved) in [(first, a), (second, b)] {
      try Self.compare(alone.states, interleaved.states, "\(name): interleaving with another request changes")
      guard alone.called == interleaved.called else {
        throw LawViolation("\(name): interleaved the network is asked for \(interleaved.called), alone for \(alone.called)")
      }
    }
  }

  /// Branches evaluated together and one after the other give the same up to rounding and are reported alike, by methods that follow a plan or
  /// decide around calls.
  /// - Parameter tolerance: largest difference of a state, in its largest value.
  public func checkBatching(_ name: String, _ acceleration: Acceleration, initial: Tensor, tolerance: Double = 1e-5) throws {
    var (joined, apart) = (self, self)
    (joined.batching, apart.batching) = (.together, .split)
    let sessions = (acceleration.makeSession(), acceleration.makeSession())
    let requests = (
      try Request(joined, session: sessions.0, initial: initial), try Request(apart, session: sessions.1, initial: initial)
    )
    _ = (try requests.0.finish(), try requests.1.finish())
    for (index, pair) in zip(requests.0.states, requests.1.states).enumerated() {
      let (gap, size) = try withTensorErrors {
        ((pair.0 - pair.1).abs().amax().to(.float64), pair.0.abs().amax().to(.float64))
      }
      let relative = try gap.item() / size.item()
      guard relative <= tolerance else { throw LawViolation("\(name): branches apart change evaluation \(index) by \(relative)") }
    }
    guard requests.1.called.joined().allSatisfy({ $0.count == 1 }), requests.0.called.joined().contains(where: { $0.count > 1 }) else {
      throw LawViolation("\(name): calls have other branches than they should: \(requests.0.called), apart \(requests.1.called)")
    }
    let branches = (requests.0.called, requests.1.called)
    for (together, split) in zip(branches.0, branches.1) where Array(together.joined()) != Array(split.joined()) {
      throw LawViolation("\(name): apart other branches are evaluated: \(branches.1) in place of \(branches.0)")
    }
    for (together, split) in zip(sessions.0.reports, sessions.1.reports) where together.actions != split.actions {
      throw LawViolation("\(name) reports \(split.actions) for branches apart, and \(together.actions) together")
    }
  }

  /// A decision must not rest on NaN: a run of numbers that are none ends with an error.
  public func checkNaN(_ name: String, _ acceleration: Acceleration, initial: Tensor) throws {
    let broken = try withTensorErrors { initial * Double.nan }
    do { _ = try Request(self, session: acceleration.makeSession(), initial: broken).finish() } catch is AccelerationError { return }
    throw LawViolation("\(name) decides by what is no number")
  }

  private static func compare(_ expected: [Tensor], _ found: [Tensor], _ what: String) throws {
    guard expected.count == found.count else { throw LawViolation("\(what) the number of evaluations") }
    for (index, pair) in zip(expected, found).enumerated() where try !pair.1.hasBits(of: pair.0) {
      throw LawViolation("\(what) the state after evaluation \(index) by \(try pair.1.largestDifference(from: pair.0))")
    }
  }
}

extension CallPolicyLaws {
  /// A request that is carried out one evaluation at a time: the state moves a little against each prediction, as in a solver.
  public final class Request {
    /// Branches of each call of the network, by evaluation.
    private final class Calls { var byEvaluation: [[[String]]] = [] }

    private let laws: CallPolicyLaws
    private let denoiser: GuidedDenoiser
    private let calls = Calls()
    private var state: Tensor
    /// The states so far, one after each evaluation.
    public private(set) var states: [Tensor] = []

    /// - Parameters:
    ///   - laws: network, run and guidance.
    ///   - session: the request's own; `nil` for a run without methods.
    public init(_ laws: CallPolicyLaws, session: AccelerationSession?, initial: Tensor) throws {
      (self.laws, state) = (laws, initial)
      let (log, model, sites) = (calls, laws.model, session?.sites)
      denoiser = GuidedDenoiser(
        parametrisation: .sample, guidance: laws.guidance, batching: laws.batching, policies: session?.calls ?? []
      ) { input, context in
        log.byEvaluation[context.evaluation].append(context.branches)
        return try model(input, Evaluation(context, policy: sites))
      }
    }

    /// Branches of each call of the network, by evaluation: none where it was not called.
    public var called: [[[String]]] { calls.byEvaluation }

    /// The next evaluation; false when there is none left.
    public func advance() throws -> Bool {
      let (index, count) = (states.count, laws.run.evaluations)
      guard index < count else { return false }
      calls.byEvaluation.append([])
      let context = CallPolicyLaws.context(index, of: laws.run)
      let denoised = try withTensorErrors { try withInference { try denoiser.denoised(state, context: context) } }
      state = try withTensorErrors { withInference { state - denoised * (1 / Double(count)) } }
      states.append(state)
      return true
    }

    /// All evaluations that are left.
    public func finish() throws -> [Tensor] {
      while try advance() {}
      return states
    }
  }
}
