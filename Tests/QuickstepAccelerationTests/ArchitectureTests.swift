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
    "toca:interval=4,fresh=0.2,score=change", "toca:interval=4,fresh=0.2,score=entropy,cross-attention=1",
  ]

  /// Whether the network has what the method needs.
  private func fits(_ method: String, _ outline: RunOutline) -> Bool {
    if method.hasPrefix("toca") {
      return outline.tokens.map { !method.contains("entropy") || $0.traits.signals.contains(.entropy) } ?? false
    }
    if method.hasPrefix("deepcache") { return outline.skipCount > 0 }
    if method.hasPrefix("fora") || method.hasPrefix("pab") || method.hasPrefix("fastercache") || method.contains("level=module") {
      return true
    }
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
    #expect(report.saved > 0 && report.computed > 0 && report.peakBytes > 0)
    let separate = try #require(apart.reports.first)
    // Where both were decided alike, their results are alike.
    if separate.actions == report.actions { #expect(gap < 1e-3, "\(gap)") }
    if !whole.decidesWhileRunning { #expect(separate.saved == 2 * report.saved && separate.peakBytes == report.peakBytes) }
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
