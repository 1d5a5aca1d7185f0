import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Every method on every architecture whose structure it needs, with branches of guidance in one batch and one by one.
@Suite struct ArchitectureTests {
  static let methods = [
    "cg-taylor:threshold=5,gate-order=0", "cg-taylor:threshold=5,gate-order=0,value=residual,order=2", "dbcache:threshold=5,warmup=1",
    "fora:interval=3",
    "dbcache:threshold=5,estimate=foca,warmup=3,first=1,last=1", "deepcache:interval=3", "fastercache:from=1",
    "first-block-cache:threshold=5",
    "magcache:threshold=1,ratios=1", "pab:from=1,to=0", "speca:threshold=5", "taylorseer:interval=3", "taylorseer:interval=3,level=module",
    "teacache:threshold=5", "toca:interval=4,fresh=0.2", "toca:interval=4,fresh=0.2,score=values,cell=3",
    "toca:interval=4,fresh=0.2,score=change", "toca:interval=4,fresh=0.2,score=entropy,cross-attention=1", "step-rehash",
    "faster-diffusion:schedule=uniform,interval=3,noise=0", "layer-skip:layers=0,start=0.5", "layer-skip:layers=1,start=0.5",
    "cachequant:starts=0,4,8", "cachequant:starts=0,3,6,9,order=1",
  ]

  /// Whether the network has what the method needs.
  private func fits(_ method: String, _ outline: RunOutline) -> Bool {
    if method.hasPrefix("toca") {
      return outline.tokens.map { !method.contains("entropy") || $0.traits.signals.contains(.entropy) } ?? false
    }
    let name = String(method.prefix { $0 != ":" })
    if ["deepcache", "step-rehash", "faster-diffusion"].contains(name) { return outline.skipCount > 0 }
    if ["fora", "pab", "fastercache", "layer-skip"].contains(name) || method.contains("level=module") { return true }
    if name == "cachequant", outline.skipCount > 0 { return true }
    return outline.blocks.count >= (method.contains("last=1") ? 3 : 2)
  }

  @Test("runs are finite, counted, and the same whether branches are stacked or not", arguments: TinyNetwork.all, methods)
  func everywhere(_ network: TinyNetwork, _ method: String) throws {
    let run = try TinyRun(network)
    guard fits(method, run.outline) else {
      #expect(throws: AccelerationError.self) { try acceleration(method, run.outline) }
      return
    }
    let whole = try acceleration(method, run.outline)
    let (together, apart) = (whole.makeSession(), whole.makeSession())
    let both = Conditioning.stacked([run.conditioning, run.conditioning])
    var gap = 0.0
    for index in 0..<TinyRun.count {
      // The branches see different states, so that one's memory in place of the other's would show.
      let states = try [run.state(index), run.state(TinyRun.count - index)]
      let stacked = try run.output(
        withTensorErrors { .cat(states, dim: 0) }, both, run.context(index, ["negative", "positive"]), together.sites)
      let parts = try zip(states, ["negative", "positive"]).map { state, branch in
        try run.output(state, run.conditioning, run.context(index, [branch]), apart.sites)
      }
      #expect(try stacked.isFinite)
      gap = max(gap, try stacked.largestDifference(from: withTensorErrors { .cat(parts, dim: 0) }))
    }
    let report = try #require(together.reports.first)
    // What is left out leaves nothing to hold.
    #expect(report.saved > 0 && report.computed > 0 && (report.peakBytes > 0) == !method.hasPrefix("layer-skip"))
    let separate = try #require(apart.reports.first)
    // Where both were decided alike, their results are alike.
    if separate.actions == report.actions { #expect(gap < 1e-3, "\(gap)") }
    if !whole.decidesWhileRunning { #expect(separate.saved == 2 * report.saved && separate.peakBytes == report.peakBytes) }
  }

  @Test("methods that are told by a file what to do follow it on every architecture", arguments: TinyNetwork.all)
  func files(_ network: TinyNetwork) throws {
    let run = try TinyRun(network)
    let modules = run.outline.modules([.attention, .crossAttention, .feedForward, .parallel])
    func outcome(_ method: any Accelerator) throws -> (outputs: [Tensor], report: AccelerationReport) {
      let session = try Acceleration([method], run: run.outline).makeSession()
      return (try run.outputs(session.sites), try #require(session.reports.first))
    }
    // A plan that says what another method does gives its bits.
    let text = try HeuristicPlan.every(interval: 3).plan(for: run.outline).json()
    let (planned, known) = (try outcome(AllAccelerators.make("plan", ["file": text])), try outcome(method("fora:interval=3")))
    #expect(planned.report.actions == known.report.actions && planned.report.saved > 0)
    for (one, other) in zip(planned.outputs, known.outputs) { #expect(try one.hasBits(of: other)) }
    // Nothing changed in the runs that were measured, so that outputs are reused as long as they were compared.
    let rows = (1...3).map { Array(repeating: 0.0, count: TinyRun.count - $0) }
    var calibration = CacheCalibration(
      kind: .differences, model: network.testDescription, fingerprint: nil, evaluations: TinyRun.count, samples: 1, guidanceScale: nil)
    calibration.differences = Dictionary(uniqueKeysWithValues: Set(modules.map(\.kind.rawValue)).map { ($0, rows) })
    let smooth = try outcome(AllAccelerators.make("smoothcache", ["file": calibration.json(), "threshold": "0.1"]))
    #expect(smooth.report.actions == Dictionary(uniqueKeysWithValues: modules.map { ($0.path, "CRRRCRRRCRRC") }))
    #expect(smooth.report.forced == 0 && smooth.report.saved == 8 * modules.count)
    let plain = try run.outputs(nil)
    for index in plain.indices {
      #expect(try smooth.outputs[index].isFinite)
      let isFull = [0, 4, 8, 11].contains(index)
      #expect(try smooth.outputs[index].hasBits(of: plain[index]) == isFull, "evaluation \(index)")
    }
  }

  @Test("another branch is not answered from the first one's memory")
  func newBranches() throws {
    let run = try TinyRun(TinyNetwork(name: "checkpoints/dit-2"))
    let session = try acceleration("taylorseer:interval=6,warmup=1,order=0", run.outline).makeSession()
    let plain = try run.output(run.state(3), run.conditioning, run.context(3, ["other"]), nil)
    _ = try run.output(run.state(0), run.conditioning, run.context(0, ["negative"]), session.sites)
    let found = try run.output(run.state(3), run.conditioning, run.context(3, ["other"]), session.sites)
    #expect(try found.largestDifference(from: plain) < 1e-6)
    #expect(session.reports[0].forced == 1)
  }
}

extension Tensor {
  /// Whether it holds neither infinities nor NaN.
  fileprivate var isFinite: Bool {
    get throws { try withTensorErrors { abs().sum() }.item().isFinite }
  }
}
