import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Inner-loop feedback on the toy network: 4 blocks, of which 1…2 are the inner range.
@Suite struct FeedbackTests {
  private static let steps = 6

  /// Weights of a feedback block, with scales that are this number.
  private static func module(
    scale: Double, fingerprint: String = "toy", blocks: Int = 4, steps: Int = steps, last: Int = 2, hiddenSize: Int = 8
  ) throws -> FeedbackModule {
    let network = try ToyNetwork.random(seed: 1)
    let made = try Weights.initialise(generator: Generator(seed: 5)) { network.guestBlock(weights: $0) }
    try ModelLaws.disturb(made.parameters, seed: 6)
    let settings = FeedbackModule.Configuration(
      model: "toy", fingerprint: fingerprint, blocks: blocks, first: 1, last: last, hiddenSize: hiddenSize, steps: steps, solver: "ddim",
      begin: 1, end: 1, guidanceScale: 2)
    let scales = try withTensorErrors { (1...last).map { Tensor.full([8], fillValue: .real(scale * Double($0))) } }
    return try FeedbackModule(settings, block: Dictionary(uniqueKeysWithValues: made.parameters.all), scales: scales)
  }

  private static func identity(solver: String = "ddim") -> RunIdentity {
    RunIdentity(fingerprint: "toy", solver: solver, guidanceScale: 2)
  }

  private static func run(_ network: ToyNetwork) -> RunOutline {
    var run = outline(network, steps: steps)
    run.identity = identity()
    run.guests = GuestMaker { index, source in
      index < 4 ? try Weights.load(from: source) { network.guestBlock(weights: $0) }.model : nil
    }
    return run
  }

  private static func policy(_ method: any Accelerator, _ network: ToyNetwork) throws -> SiteInterpreter {
    try #require(Acceleration([method], run: run(network)).makeSession().sites)
  }

  private static func predictions(_ network: ToyNetwork, _ policy: (any SitePolicy)?) throws -> [Tensor] {
    try SitePolicyLaws.Request(network.callAsFunction, policy: policy, initial: network.sample(seed: 2), steps: steps).finish()
  }

  @Test("scales of 0 give the bits of the network alone, though the inner range runs twice")
  func zeroScales() throws {
    let network = try ToyNetwork.random(seed: 1)
    let policy = try Self.policy(InnerLoopFeedback(Self.module(scale: 0)), network)
    let (plain, fed) = (try Self.predictions(network, nil), try Self.predictions(network, policy))
    for (a, b) in zip(plain, fed) { #expect(try a.hasBits(of: b)) }
    #expect(policy.reports[0].additional > 0)
  }

  @Test("an evaluation with feedback runs L + range + 1 blocks, one without L")
  func counts() throws {
    let network = try ToyNetwork.random(seed: 1)
    let method = InnerLoopFeedback(try Self.module(scale: 0.1), end: 2)
    let policy = try Self.policy(method, network)
    _ = try Self.predictions(network, policy)
    let report = policy.reports[0]
    #expect(report.computed == 4 * Self.steps && report.saved == 0)
    #expect(report.additional == (2 + 1) * (Self.steps - 3))
    // Both attentions and feed-forward layers of what runs, those of the feedback block not counted.
    #expect(policy.computedModules == 2 * (4 * Self.steps + 2 * (Self.steps - 3)))
    #expect(report.hasActed)
  }

  /// The method as its description says it, with nothing of the library's but the network's own blocks.
  private final class ByHand: SitePolicy {
    let block: any GuestBlock
    init(_ block: any GuestBlock) { self.block = block }
    func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
      try compute(input)
    }
    func sequence(
      _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
      guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block run: (Int, [Tensor]) throws -> [Tensor]
    ) throws -> [Tensor] {
      let entry = try run(0, input)
      let inner = try run(2, run(1, entry))
      guard (1...4).contains(context.evaluation) else { return try run(3, inner) }
      guard let guest else { throw GuestBlockError("no way to run it") }
      let f = try guest(block, inner)[0]
      let first = try run(1, [entry[0] + f * 0.3])
      return try run(3, run(2, [first[0] + f * 0.6]))
    }
  }

  @Test func theSecondPassTakesTheFeedback() throws {
    let network = try ToyNetwork.random(seed: 1)
    let module = try Self.module(scale: 0.3)
    let policy = try Self.policy(InnerLoopFeedback(module), network)
    let block = try #require(try Self.run(network).guests?.make(2, module.block))
    let (expected, found) = (try Self.predictions(network, ByHand(block)), try Self.predictions(network, policy))
    let plain = try Self.predictions(network, nil)
    for (index, pair) in zip(expected, found).enumerated() {
      #expect(try pair.0.largestDifference(from: pair.1) < 1e-6)
      #expect(try (pair.1.largestDifference(from: plain[index]) > 1e-3) == (index > 0), "evaluation \(index)")
    }
  }

  @Test func stateBelongsToTheRequest() throws {
    let network = try ToyNetwork.random(seed: 1)
    let method = InnerLoopFeedback(try Self.module(scale: 0.3))
    let initials = (try network.sample(seed: 2), try network.sample(seed: 3))
    try SitePolicyLaws.checkIsolation("ilf", model: network.callAsFunction, initials: initials, steps: Self.steps) {
      try Self.policy(method, network)
    }
  }

  @Test("strength multiplies the scales, and 0 needs no module")
  func strength() throws {
    let network = try ToyNetwork.random(seed: 1)
    let half = try Self.predictions(network, Self.policy(InnerLoopFeedback(Self.module(scale: 0.6), strength: 0.5), network))
    let own = try Self.predictions(network, Self.policy(InnerLoopFeedback(Self.module(scale: 0.3)), network))
    for (a, b) in zip(half, own) { #expect(try a.largestDifference(from: b) < 1e-6) }
    let off = try AllAccelerators.make("ilf", ["strength": "0"])
    #expect(try Acceleration([off], run: Self.run(network)).makeSession().sites == nil)
  }

  @Test func aModuleSurvivesItsFiles() throws {
    let network = try ToyNetwork.random(seed: 1)
    let folder = try TemporaryFolder()
    let module = try Self.module(scale: 0.25)
    try module.write(to: folder.path + "/m")
    let expected = try Self.predictions(network, Self.policy(InnerLoopFeedback(module), network))
    for path in [folder.path + "/m", folder.path + "/m/feedback.safetensors"] {
      let method = try AllAccelerators.make("ilf", ["module": path])
      let found = try Self.predictions(network, Self.policy(method, network))
      // Weights are kept as float16.
      for (a, b) in zip(expected, found) { #expect(try a.largestDifference(from: b) < 2e-3) }
      #expect(try FeedbackModule(path: path).configuration == module.configuration)
    }
  }

  @Test func filesThatHoldNoModuleAreRefused() throws {
    let folder = try TemporaryFolder()
    try Self.module(scale: 0.25).write(to: folder.path)
    func refused(_ path: String, _ parts: String...) throws {
      let error = #expect(throws: (any Error).self) { try AllAccelerators.make("ilf", ["module": path]) }
      let message = "\(try #require(error))"
      for part in parts { #expect(message.contains(part), "\(message)") }
    }
    try refused("", "module=FOLDER")
    try refused(folder.path + "/none", "no feedback module", "config.json")
    let settings = try String(contentsOfFile: folder.path + "/config.json", encoding: .utf8)
    for (old, new, part) in [
      ("InnerLoopFeedback", "Other", "InnerLoopFeedback"), ("\"last\" : 2", "\"last\" : 4", "does not lie in 4 blocks"),
      ("\"last\" : 2", "\"last\" : 3", "scale.3"), ("\"last\" : 2", "\"last\" : 1", "scale.2"), ("\"steps\"", "\"stepz\"", "steps"),
      ("\"hidden_size\" : 8", "\"hidden_size\" : 6", "[8]"), ("\"steps\" : 6", "\"steps\" : 2", "leave none of 2 steps"),
      ("\"begin\" : 1", "\"begin\" : -1", "'begin' (-1)"),
      ("\"begin\" : 1", "\"begin\" : 9223372036854775807", "leave none of 6 steps"),
    ] {
      #expect(settings.contains(old))
      try folder.write(settings.replacingOccurrences(of: old, with: new), to: "config.json")
      try refused(folder.path, part)
    }
    let many = settings.replacingOccurrences(of: "\"last\" : 2", with: "\"last\" : 4000000000")
      .replacingOccurrences(of: "\"blocks\" : 4", with: "\"blocks\" : 4000000001")
    try folder.write(many, to: "config.json")
    try refused(folder.path, "needs more scales")
    try folder.write(settings, to: "config.json")
    try FileManager.default.removeItem(atPath: folder.path + "/feedback.safetensors")
    try refused(folder.path, "feedback.safetensors")
  }

  @Test func whatDoesNotFitTheRunIsRefused() throws {
    let network = try ToyNetwork.random(seed: 1)
    func refused(_ method: InnerLoopFeedback, _ part: String, with other: String? = nil, _ change: (inout RunOutline) -> Void = { _ in })
      throws
    {
      var run = Self.run(network)
      change(&run)
      let methods: [any Accelerator] = try [method] + (other.map { [try AllAccelerators.make($0)] } ?? [])
      let error = #expect(throws: (any Error).self) { try Acceleration(methods, run: run) }
      #expect("\(try #require(error))".contains(part), "\(error as Any)")
    }
    let method = InnerLoopFeedback(try Self.module(scale: 0.3))
    try refused(InnerLoopFeedback(try Self.module(scale: 0.3, fingerprint: "f00")), "f00")
    try refused(InnerLoopFeedback(try Self.module(scale: 0.3, blocks: 5)), "5 blocks")
    try refused(InnerLoopFeedback(try Self.module(scale: 0.3), begin: 3, end: 3), "leaves none of 6")
    try refused(method, "list of at least 2 blocks") { $0.sites = $0.sites.filter { $0.kind != .block } }
    try refused(method, "blocks of others") { $0.guests = nil }
    try refused(method, "blocks of others") { $0.guests = GuestMaker { _, _ in nil } }
    try refused(method, "twice in an evaluation", with: "fora")
    try refused(method, "list of blocks", with: "first-block-cache")
  }

  @Test("runs of other lengths have feedback in the same part", arguments: [6, 12, 3])
  func otherLengths(_ count: Int) throws {
    let network = try ToyNetwork.random(seed: 1)
    var run = outline(network, steps: count)
    (run.identity, run.guests) = (Self.identity(), Self.run(network).guests)
    let acceleration = try Acceleration([InnerLoopFeedback(Self.module(scale: 0.3))], run: run)
    let policy = try #require(acceleration.makeSession().sites)
    _ = try SitePolicyLaws.Request(network.callAsFunction, policy: policy, initial: network.sample(seed: 2), steps: count).finish()
    // One of six at either end has none.
    let plain = 2 * Int((Double(count) / 6).rounded())
    #expect(policy.reports[0].additional == 3 * (count - plain))
  }

  @Test func anotherLengthOfStepIsWarnedOf() throws {
    let network = try ToyNetwork.random(seed: 1)
    var run = Self.run(network)
    #expect(try InnerLoopFeedback(Self.module(scale: 0.3)).warnings(for: run).isEmpty)
    run.identity = Self.identity(solver: "heun")
    let warnings = try InnerLoopFeedback(Self.module(scale: 0.3, steps: 9)).warnings(for: run)
    #expect(warnings.count == 2 && warnings[0].contains("9 steps") && warnings[1].contains("heun"))
  }

  @Test func aBlockOfAnotherNetworkIsRefused() throws {
    struct Stranger: GuestBlock {}
    let network = try ToyNetwork.random(seed: 1)
    #expect(throws: GuestBlockError.self) { try Self.predictions(network, ByHand(Stranger())) }
  }
}
