import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// What every method around whole calls obeys, with branches of guidance evaluated together and one after the other.
@Suite struct CallLawTests {
  private static let steps = 9
  /// Outputs of the toy network's branches are `[2, 8]` in float32.
  private static let answer = 64

  /// Methods, as on a command line or as a plan, on one of the networks.
  struct Case: Sendable, CustomTestStringConvertible {
    var methods: [String]
    /// Whether on the tiny U-Net in place of the toy network.
    var onUNet = false
    var testDescription: String { methods.joined(separator: " + ") + (onUNet ? " (U-Net)" : "") }

    init(_ methods: String..., onUNet: Bool = false) { (self.methods, self.onUNet) = (methods, onUNet) }

    func acceleration(_ run: RunOutline) throws -> Acceleration {
      try Acceleration(
        methods.map { text in text.hasPrefix("{") ? try AllAccelerators.make("plan", ["file": text]) : try method(text) }, run: run)
    }
  }

  static let plan = #"{"evaluations": 9, "sites": {"call.negative": "CCRR1CRIC"}, "keeps": {"call.negative": "difference"}}"#

  /// Each leaves something out around calls.
  static let around = [
    Case("easycache:threshold=9,warmup=2"), Case("easycache:threshold=9,warmup=3,continuous=2"),
    Case("guidance-cache:interval=2,start=0"), Case("guidance-cache:interval=3,order=1,keep=output"),
    Case("fastercache:interval=1,branch-interval=3,branch-from=1"), Case(plan),
    Case("faster-diffusion:schedule=uniform,interval=4,span=3,noise=0", onUNet: true),
  ]
  /// Methods of sites whose state lasts over calls, and several methods around and inside them.
  static let mixed = [
    Case("step-rehash", onUNet: true), Case("deepcache:interval=3,order=1", onUNet: true), Case("magcache:threshold=1,ratios=1"),
    Case("guidance-cache:interval=2,start=0", "fora:interval=2"),
    Case("guidance-cache:interval=2,start=0", "deepcache:interval=2", onUNet: true),
  ]
  /// What they do where branches are evaluated apart differs: each decides by itself, or has features of its own age.
  static let deciding = [
    Case("easycache:threshold=0.05,warmup=2", "guidance-cache:interval=2,start=0"), Case("guidance-cache:interval=3", "fora:interval=2"),
    Case("guidance-cache:interval=3", "step-rehash", onUNet: true),
    Case("guidance-cache:interval=2", "first-block-cache:threshold=1"), Case("fastercache:from=1,branch-from=1"),
  ]
  static let exact = around + mixed
  static let all = around + mixed + deciding
  static let windowed = around.filter { !$0.onUNet && $0.methods != [plan] }
  /// Nothing is left out, by parameters that are neutral or by such that never come to act.
  static let idle = [
    Case("easycache:threshold=0"), Case("easycache:threshold=1e-9,warmup=2"), Case("easycache:threshold=9,warmup=1000"),
    Case("guidance-cache:interval=1"), Case("guidance-cache:start=1"), Case("fastercache:interval=1,branch-interval=1"),
    Case("fastercache:interval=1,branch-from=0"), Case("magcache:threshold=0"), Case("magcache:threshold=1,ratios=1,retention=1"),
    Case(#"{"evaluations": 9, "sites": {"call.negative": "CCCCCCCCC"}}"#), Case("step-rehash:interval=1", onUNet: true),
    Case("step-rehash:begin=1", onUNet: true), Case("faster-diffusion:schedule=all,span=4", onUNet: true),
    Case("pab:interval=1,cross-interval=1"), Case("pab:from=0.1,to=0.05"), Case("pab:from=0.1,to=0.05", onUNet: true),
    Case("cachequant:starts=0,1,2,3,4,5,6,7,8"), Case("cachequant:starts=0,1,2,3,4,5,6,7,8,order=1", onUNet: true),
    Case("layer-skip:layers=0,start=1"), Case("layer-skip:layers=0,start=0.5,end=0.5", onUNet: true),
  ]

  /// Network, run and guidance of a case, and two states to begin with.
  private func setting(
    _ item: Case, _ batching: GuidedDenoiser.Batching = .together, window: Guidance.Window = .always
  ) throws -> (laws: CallPolicyLaws, acceleration: Acceleration, initials: (Tensor, Tensor)) {
    let network = try ToyNetwork.random(seed: 1)
    var run = outline(network, steps: Self.steps)
    let guidance = try Guidance.classifierFree(scale: 2, window: window)
    let laws: CallPolicyLaws
    let initials: (Tensor, Tensor)
    if item.onUNet {
      let fixture = try UNetFixture("deepcache")
      run.sites = fixture.network.sites
      laws = CallPolicyLaws({ try fixture.output($0, $1) }, run: run, guidance: guidance, batching: batching)
      let initial = try fixture.given("initial")
      initials = (initial, try withTensorErrors { initial.roll([1], dims: [-1]) })
    } else {
      laws = CallPolicyLaws(Self.branched(network), run: run, guidance: guidance, batching: batching)
      initials = (try network.sample(seed: 2), try network.sample(seed: 3))
    }
    return (laws, try item.acceleration(laws.run), initials)
  }

  /// A network whose branches see different inputs.
  private static func branched(_ network: ToyNetwork) -> CallPolicyLaws.Model {
    { input, evaluation in
      let shifts = evaluation.context.branches.map { $0 == "negative" ? 0.5 : -0.25 }
      let parts = input.chunk(shifts.count, dim: 0)
      return try network(.cat(zip(parts, shifts).map { $0 + $1 }, dim: 0), evaluation: evaluation)
    }
  }

  @Test("what leaves nothing out changes no bit", arguments: idle, GuidedDenoiser.Batching.allCases)
  func neutral(_ item: Case, _ batching: GuidedDenoiser.Batching) throws {
    let (laws, acceleration, initials) = try setting(item, batching)
    try laws.checkNeutral(item.testDescription, acceleration, initial: initials.0)
  }

  /// `LawTests` sets what is neutral by the declarations.
  @Test("methods without a neutral value have idle cases")
  func idleCases() {
    let covered = Self.idle.flatMap(\.methods).map { text in text.hasPrefix("{") ? "plan" : String(text.split(separator: ":")[0]) }
    let declarations = AllAccelerators.all.map { $0.declaration }
    for declaration in declarations where !declaration.parameters.contains(where: { $0.neutral != nil }) {
      #expect(covered.contains(declaration.name), "\(declaration.name)")
    }
  }

  @Test("state belongs to the request", arguments: all, GuidedDenoiser.Batching.allCases)
  func isolation(_ item: Case, _ batching: GuidedDenoiser.Batching) throws {
    let (laws, acceleration, initials) = try setting(item, batching)
    try laws.checkIsolation(item.testDescription, acceleration, initials: initials)
  }

  @Test("what is left out is counted, and planned where there is a plan", arguments: around, GuidedDenoiser.Batching.allCases)
  func counts(_ item: Case, _ batching: GuidedDenoiser.Batching) throws {
    let (laws, acceleration, initials) = try setting(item, batching)
    try laws.checkCounts(item.testDescription, acceleration, initial: initials.0)
  }

  @Test("plans are followed at sites as well", arguments: mixed, GuidedDenoiser.Batching.allCases)
  func plans(_ item: Case, _ batching: GuidedDenoiser.Batching) throws {
    let (laws, acceleration, initials) = try setting(item, batching)
    #expect(!acceleration.decidesWhileRunning)
    try laws.checkPlan(item.testDescription, acceleration, initial: initials.0)
  }

  @Test("memory held is what the method declares", arguments: exact, GuidedDenoiser.Batching.allCases)
  func held(_ item: Case, _ batching: GuidedDenoiser.Batching) throws {
    let (laws, acceleration, initials) = try setting(item, batching)
    try laws.checkHeld(item.testDescription, acceleration, initial: initials.0)
  }

  @Test(
    "memory of methods around calls, in outputs of a branch",
    arguments: [
      ("easycache:threshold=9,warmup=2", 4), ("guidance-cache:interval=2,start=0", 1), ("guidance-cache:interval=3,order=1", 2),
      ("fastercache:interval=1,branch-interval=3,branch-from=1", 2),
    ])
  func heldAnswers(_ text: String, _ answers: Int) throws {
    let (laws, acceleration, initials) = try setting(Case(text))
    let session = acceleration.makeSession()
    _ = try CallPolicyLaws.Request(laws, session: session, initial: initials.0).finish()
    #expect(session.reports.map(\.peakBytes) == [answers * Self.answer])
  }

  @Test("branches apart are branches together, up to rounding", arguments: exact)
  func batching(_ item: Case) throws {
    let (laws, acceleration, initials) = try setting(item)
    try laws.checkBatching(item.testDescription, acceleration, initial: initials.0)
  }

  @Test("branches that come and go with the interval of guidance", arguments: windowed, GuidedDenoiser.Batching.allCases)
  func windows(_ item: Case, _ batching: GuidedDenoiser.Batching) throws {
    let (laws, acceleration, initials) = try setting(item, batching, window: .steps(start: 0.1, end: 0.8))
    #expect(laws.run.calls.map(\.branches.count) == [1, 2, 2, 2, 2, 2, 2, 2, 1])
    try laws.checkIsolation(item.testDescription, acceleration, initials: initials)
    try laws.checkCounts(item.testDescription, acceleration, initial: initials.0)
  }

  @Test("an interval of guidance by itself: all of the run changes no bit, outside the prompt's branch is evaluated alone")
  func interval() throws {
    for batching in GuidedDenoiser.Batching.allCases {
      func states(_ window: Guidance.Window) throws -> (states: [Tensor], called: [[[String]]]) {
        let (laws, _, initials) = try setting(Case("easycache:threshold=0"), batching, window: window)
        let request = try CallPolicyLaws.Request(laws, session: nil, initial: initials.0)
        return (try request.finish(), request.called)
      }
      let (always, whole) = (try states(.always), try states(.steps(start: 0, end: 1)))
      for (one, other) in zip(always.states, whole.states) { #expect(try one.hasBits(of: other)) }
      let part = try states(.steps(start: 0, end: 0.5))
      let compared: [[String]] = batching == .split ? [["negative"], ["positive"]] : [["negative", "positive"]]
      #expect(part.called[4] == compared)
      #expect(part.called[5...].allSatisfy { $0 == [["positive"]] })
      for step in 0..<5 { #expect(try part.states[step].hasBits(of: always.states[step])) }
      #expect(try !part.states[5].hasBits(of: always.states[5]))
    }
  }

  @Test(
    "a decision must not rest on NaN", arguments: [Case("easycache:threshold=9,warmup=2"), Case("guidance-cache", "teacache:threshold=1")],
    GuidedDenoiser.Batching.allCases)
  func nan(_ item: Case, _ batching: GuidedDenoiser.Batching) throws {
    let (laws, acceleration, initials) = try setting(item, batching)
    try laws.checkNaN(item.testDescription, acceleration, initial: initials.0)
  }

  /// Laws that nothing could break would be none.
  @Test("the laws find what breaks them")
  func violations() throws {
    let (laws, acting, initials) = try setting(Case("easycache:threshold=9,warmup=2"))
    #expect(throws: LawViolation.self) { try laws.checkNeutral("it acts", acting, initial: initials.0) }
    #expect(throws: LawViolation.self) { try laws.checkPlan("it has no plan", acting, initial: initials.0) }
    let idle = try Case("easycache:threshold=9,warmup=1000").acceleration(laws.run)
    #expect(throws: LawViolation.self) { try laws.checkCounts("it leaves nothing out", idle, initial: initials.0) }
    let planned = try Case("guidance-cache:interval=2").acceleration(laws.run)
    #expect(throws: LawViolation.self) { try laws.checkNaN("it does not look", planned, initial: initials.0) }
    // A network that answers differently for branches by themselves.
    let network = try ToyNetwork.random(seed: 1)
    let uneven = CallPolicyLaws(
      { try Self.branched(network)($0, $1) * (1 + 0.001 * Double($1.context.branches.count)) }, run: laws.run, guidance: laws.guidance)
    #expect(throws: LawViolation.self) { try uneven.checkBatching("it counts branches", planned, initial: initials.0) }
    // One that remembers what it was asked in another request.
    final class Memory { var calls = 0.0 }
    let memory = Memory()
    let leaky = CallPolicyLaws(
      {
        memory.calls += 1
        return try Self.branched(network)($0, $1) * (1 + 0.001 * memory.calls)
      }, run: laws.run, guidance: laws.guidance)
    #expect(throws: LawViolation.self) { try leaky.checkIsolation("it remembers", planned, initials: initials) }
  }
}
