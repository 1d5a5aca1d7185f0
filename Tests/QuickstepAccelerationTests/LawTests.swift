import QuickstepAcceleration
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// What every method obeys, whatever it does.
@Suite struct LawTests {
  /// Methods that act inside the network, with parameters at which they act on the toy network.
  static let acting = [
    "deepcache:interval=2", "deepcache:interval=3,branch=1", "deepcache:interval=2,order=1", "fora:interval=2",
    "taylorseer:interval=3,warmup=2", "taylorseer:interval=3,order=2,level=module", "taylorseer:interval=2,rule=newton,abscissa=timestep",
    "first-block-cache:threshold=1", "cg-taylor:threshold=10,gate-order=0", "cg-taylor:threshold=10,gate-order=0,value=residual,order=2",
    "dbcache:threshold=10,last=1",
    "dbcache:threshold=10,estimate=foca", "fastercache:from=1", "magcache:threshold=1,ratios=1", "pab:from=1,to=0", "speca:threshold=10",
    "teacache:threshold=100",
    "faster-diffusion:schedule=uniform,interval=3",
  ]
  /// Those of them that decide before the run, and the same for one branch as for several.
  static let planned = acting.filter { text in
    !["cg-taylor", "dbcache", "fastercache", "first-block", "speca", "teacache"].contains { text.hasPrefix($0) }
  }
  private static let steps = 9

  @Test("neutral parameters change no bit", arguments: AllAccelerators.all.map { $0.declaration.name })
  func neutral(_ name: String) throws {
    let declaration = try AllAccelerators.named(name).declaration
    let neutral = declaration.parameters.filter { $0.neutral != nil }
    guard let parameter = neutral.first, let value = parameter.neutral else { return }
    let network = try ToyNetwork.random(seed: 1)
    let acceleration = try acceleration("\(name):\(parameter.name)=\(value)", network, steps: Self.steps)
    let session = acceleration.makeSession()
    // What does nothing adds nothing to the run, its calls and its table.
    #expect(session.calls.isEmpty && acceleration.models == nil && !acceleration.changesTable(by: name))
    guard session.sites != nil else { return }
    try SitePolicyLaws.checkNeutral(name, model: network.callAsFunction, initial: network.sample(seed: 2), steps: Self.steps) {
      try #require(acceleration.makeSession().sites)
    }
  }

  @Test("state belongs to the request", arguments: acting)
  func isolation(_ text: String) throws {
    let network = try ToyNetwork.random(seed: 1)
    let acceleration = try acceleration(text, network, steps: Self.steps)
    let initials = (try network.sample(seed: 2), try network.sample(seed: 3))
    try SitePolicyLaws.checkIsolation(text, model: network.callAsFunction, initials: initials, steps: Self.steps) {
      try #require(acceleration.makeSession().sites)
    }
  }

  @Test("what is left out is counted, and what is held", arguments: acting)
  func counters(_ text: String) throws {
    let network = try ToyNetwork.random(seed: 1)
    let acceleration = try acceleration(text, network, steps: Self.steps)
    try SitePolicyLaws.checkCounters(
      text, model: network.callAsFunction, initial: network.sample(seed: 2), steps: Self.steps,
      make: { try #require(acceleration.makeSession().sites) }
    ) {
      let report = $0.reports[0]
      return ["computed": report.computed, "saved": report.saved, "bytes": report.peakBytes]
    }
  }

  @Test("a static method does what its plan says", arguments: acting)
  func plans(_ text: String) throws {
    let network = try ToyNetwork.random(seed: 1)
    let run = outline(network, steps: Self.steps)
    let acceleration = try acceleration(text, network, steps: Self.steps)
    guard !acceleration.decidesWhileRunning else { return }
    let session = acceleration.makeSession()
    _ = try SitePolicyLaws.Request(network.callAsFunction, policy: session.sites, initial: network.sample(seed: 2), steps: Self.steps)
      .finish()
    #expect(try session.reports[0].actions == acceleration.plan(for: run).actions.mapValues(\.codes))
    #expect(session.reports[0].forced == 0)
  }

  /// Outputs of the toy network's blocks, modules and outermost steps are `[2, 8]`, deeper ones `[2, 16]`, in float32.
  @Test(
    "memory held is what the declaration says",
    arguments: [
      ("deepcache:interval=2", 64), ("deepcache:interval=2,branch=1", 128), ("deepcache:interval=3,order=2", 3 * 64),
      ("fora:interval=2", 8 * 64), ("taylorseer:interval=3,order=2,level=module", 3 * 8 * 64), ("taylorseer:interval=3,order=1", 2 * 64),
      ("first-block-cache:threshold=1", 2 * 64), ("cg-taylor:threshold=10,gate-order=0", 3 * 64), ("dbcache:threshold=10", 2 * 64),
      ("dbcache:threshold=10,estimate=foca", 4 * 64), ("teacache:threshold=100", 2 * 64), ("speca:threshold=10", 4 * 64),
      ("magcache:threshold=1,ratios=1", 64), ("pab:from=1,to=0", 4 * 64), ("fastercache:from=1", 8 * 64),
    ])
  func memory(_ text: String, _ bytes: Int) throws {
    let network = try ToyNetwork.random(seed: 1)
    let acceleration = try acceleration(text, network, steps: Self.steps)
    let session = acceleration.makeSession()
    _ = try SitePolicyLaws.Request(network.callAsFunction, policy: session.sites, initial: network.sample(seed: 2), steps: Self.steps)
      .finish()
    #expect(session.reports[0].peakBytes == bytes)
    // The same before the run, from the sizes of one evaluation.
    let observer = SizeObserver()
    _ = try SitePolicyLaws.Request(
      network.callAsFunction, policy: RunRecorder([observer]), initial: network.sample(seed: 2), steps: 1
    ).finish()
    #expect(acceleration.heldBytes(observer.sizes) == bytes)
  }

  @Test(
    "a decision must not rest on NaN",
    arguments: [
      "first-block-cache:threshold=1", "cg-taylor:threshold=1", "dbcache:threshold=1", "speca:threshold=1", "teacache:threshold=1",
    ])
  func nan(_ text: String) throws {
    let network = try ToyNetwork.random(seed: 1)
    let acceleration = try acceleration(text, network, steps: Self.steps)
    let broken = try withTensorErrors { try network.sample(seed: 2) * Double.nan }
    let request = SitePolicyLaws.Request(
      network.callAsFunction, policy: acceleration.makeSession().sites, initial: broken, steps: Self.steps)
    #expect(throws: AccelerationError.self) { try request.finish() }
  }

  @Test("two methods at one point are refused")
  func conflicts() throws {
    let network = try ToyNetwork.random(seed: 1)
    let run = outline(network, steps: Self.steps)
    func refused(_ names: String...) throws {
      let methods = try names.map { try AllAccelerators.make($0) }
      #expect(throws: AccelerationError.self) { try Acceleration(methods, run: run) }
    }
    try refused("deepcache", "deepcache")
    try refused("taylorseer", "first-block-cache")
    _ = try Acceleration([AllAccelerators.make("deepcache"), AllAccelerators.make("fora")], run: run)
  }
}
