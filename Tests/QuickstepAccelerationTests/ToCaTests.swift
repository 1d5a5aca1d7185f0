import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Tokens that are computed between full evaluations, and those that are not.
@Suite struct ToCaTests {
  private static let steps = 12
  /// With parameters at which they act on the toy network: 16 tokens.
  static let acting = [
    "toca:interval=4,fresh=0.2", "toca:interval=3,fresh=0.2,score=values,bonus=0", "toca:interval=4,fresh=0.3,score=norm,window=false",
    "toca:interval=3,fresh=0.2,score=change,step-slope=0", "toca:interval=5,fresh=0.2,score=age,pace=0",
    "toca:interval=5,fresh=0.2,cell=3,parity=true",
  ]

  private func outline(_ network: ToyTransformer, steps: Int = steps, branches: [String] = []) -> RunOutline {
    let calls = (0..<steps).map { step in
      let progress = Double(step) / Double(steps)
      return RunOutline.Call(
        step: step, level: NoiseLevel(timestep: 1000 * (1 - progress), alpha: progress, sigma: 1 - progress), branches: branches)
    }
    var outline = RunOutline(network: "the toy transformer", stepCount: steps, calls: calls, sites: network.sites)
    outline.tokens = TokenLayout(traits: network.tokenTraits, rows: network.rows, columns: network.columns)
    return outline
  }

  private func session(_ text: String, _ network: ToyTransformer) throws -> AccelerationSession {
    try acceleration(text, outline(network)).makeSession()
  }

  @Test("no evaluation is left out at an interval of 1, and no bit changes where all tokens are computed")
  func neutral() throws {
    let network = try ToyTransformer.random(seed: 1)
    #expect(try session("toca:interval=1", network).sites == nil)
    let initial = try network.sample(seed: 2)
    func outputs(_ text: String) throws -> [Tensor] {
      try SitePolicyLaws.Request(network.callAsFunction, policy: session(text, network).sites, initial: initial, steps: Self.steps).finish()
    }
    // Attentions alone are reused then: the same as a plan that says so.
    let codes = "CTTCTTCTCTTC"
    let all = try session("toca:interval=3,fresh=1,feed-forward=100,step-slope=0,layer-slope=0", network)
    _ = try SitePolicyLaws.Request(network.callAsFunction, policy: all.sites, initial: initial, steps: Self.steps).finish()
    let found = try #require(all.reports[0].actions["blocks.1.ff"])
    let sites = network.sites.filter { $0.kind == .attention }.map {
      "\"\($0.path)\": \"\(found.replacingOccurrences(of: "T", with: "R"))\""
    }
    let plan = "{\"evaluations\": \(Self.steps), \"sites\": {\(sites.joined(separator: ", "))}}"
    let planned = try Acceleration([AllAccelerators.make("plan", ["file": plan])], run: outline(network)).makeSession()
    let expected = try SitePolicyLaws.Request(network.callAsFunction, policy: planned.sites, initial: initial, steps: Self.steps).finish()
    let own = try outputs("toca:interval=3,fresh=1,feed-forward=100,step-slope=0,layer-slope=0")
    for (a, b) in zip(own, expected) { #expect(try a.hasBits(of: b)) }
    #expect(codes.count == found.count && found.contains("T"))
  }

  @Test("state belongs to the request", arguments: acting)
  func isolation(_ text: String) throws {
    let network = try ToyTransformer.random(seed: 1)
    let whole = try acceleration(text, outline(network))
    try SitePolicyLaws.checkIsolation(
      text, model: network.callAsFunction, initials: (network.sample(seed: 2), network.sample(seed: 3)), steps: Self.steps
    ) { try #require(whole.makeSession().sites) }
  }

  @Test("what is done is what was planned, what is held was declared, and modules count by their share of tokens", arguments: acting)
  func counters(_ text: String) throws {
    let network = try ToyTransformer.random(seed: 1)
    let run = outline(network)
    let whole = try acceleration(text, run)
    try SitePolicyLaws.checkCounters(
      text, model: network.callAsFunction, initial: network.sample(seed: 2), steps: Self.steps,
      make: { try #require(whole.makeSession().sites) }
    ) { ["computed": $0.reports[0].computed, "saved": $0.reports[0].saved, "bytes": $0.reports[0].peakBytes] }
    let session = whole.makeSession()
    _ = try SitePolicyLaws.Request(
      network.callAsFunction, policy: session.sites, initial: network.sample(seed: 2), steps: Self.steps
    ).finish()
    let (report, plan) = (session.reports[0], try whole.plan(for: run))
    #expect(report.actions == plan.actions.mapValues(\.codes) && report.forced == 0)
    #expect(plan.actions["blocks.0.ff"]?.contains(.tokens) == true && plan.actions["blocks.0.attn"]?.contains(.tokens) == false)
    let observer = SizeObserver()
    _ = try SitePolicyLaws.Request(
      network.callAsFunction, policy: RunRecorder([observer]), initial: network.sample(seed: 2), steps: 1
    ).finish()
    #expect(whole.heldBytes(observer.sizes) == report.peakBytes)
    // Modules in full, and no more than all of the others' tokens.
    let modules = try #require(session.sites).computedModules
    #expect(modules > report.computed && modules < report.computed + report.saved / 2)
  }

  @Test("a token that was not chosen keeps its value, a chosen one gets the new one, and the longest left ones come first by age")
  func choice() throws {
    let network = try ToyTransformer.random(blocks: 1, seed: 1)
    let watched = try session(
      "toca:interval=12,fresh=0.25,feed-forward=1,score=age,bonus=0,pace=0,window=false,step-slope=0,layer-slope=0", network)
    let policy = try #require(watched.sites)
    let sample = try network.sample(seed: 2)
    var (former, seen): (Tensor?, Set<Int>) = (nil, [])
    for index in 0..<5 {
      let level = NoiseLevel(timestep: 1000 - 100 * Double(index), alpha: 0.5, sigma: 0.5)
      let context = StepContext(step: index, stepCount: Self.steps, evaluation: index, evaluationCount: Self.steps, level: level)
      final class Spy: SitePolicy {
        let base: any SitePolicy
        var fed: Tensor?
        init(_ base: any SitePolicy) { self.base = base }
        func evaluate(
          _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
        ) throws -> [Tensor] {
          let output = try base.evaluate(site, input: input, context: context, compute: compute)
          if site.kind == .feedForward { fed = output[0] }
          return output
        }
      }
      let spy = Spy(policy)
      _ = try withInference { try withTensorErrors { try network(sample, evaluation: Evaluation(context, policy: spy)) } }
      let fed = try #require(spy.fed)
      if let former {
        let changes = try withTensorErrors { (fed - former).abs().sum([0, 2]) }.scalars(Float.self)
        let chosen = Set(changes.indices.filter { changes[$0] > 0 })
        // A quarter of 16 in each of two samples, which age alike.
        #expect(chosen.count == 4 && seen.isDisjoint(with: chosen), "evaluation \(index): \(chosen)")
        seen.formUnion(chosen)
      }
      former = fed
    }
    #expect(seen.count == 16)
  }

  @Test("the first block alone is full where the interval changes, as the authors have it")
  func schedule() throws {
    func codes(_ text: String, _ site: String) throws -> String {
      let network = try ToyTransformer.random(seed: 1)
      return try #require(acceleration(text, outline(network, steps: 50)).plan(for: outline(network, steps: 50)).actions[site]).codes
    }
    func full(_ codes: String) -> [Int] { codes.enumerated().filter { $1 == "C" }.map { 49 - $0.offset } }
    // By the rule of the authors' program for 50 evaluations and an interval of 4, counted down.
    #expect(try full(codes("toca:parity=true", "blocks.0.ff")) == [49, 48, 42, 40, 35, 30, 28, 24, 20, 16, 14, 12, 10, 8, 6, 3, 0])
    #expect(try full(codes("toca:parity=true", "blocks.1.ff")) == [49, 48, 40, 35, 28, 24, 20, 16, 14, 12, 10, 6, 3, 0])
    #expect(try codes("toca", "blocks.1.attn") == codes("toca:parity=true", "blocks.0.attn"))
    #expect(try full(codes("toca:pace=0,window=false", "blocks.2.attn")) == [49] + stride(from: 48, through: 0, by: -4))
  }

  @Test("a choice must not rest on NaN", arguments: ["received", "values", "norm", "change"])
  func nan(_ score: String) throws {
    let network = try ToyTransformer.random(seed: 1)
    let broken = try withTensorErrors { try network.sample(seed: 2) * Double.nan }
    let policy = try session("toca:interval=4,fresh=0.2,step-slope=0,score=\(score)", network).sites
    let request = SitePolicyLaws.Request(network.callAsFunction, policy: policy, initial: broken, steps: Self.steps)
    let error = #expect(throws: AccelerationError.self) { try request.finish() }
    #expect(error?.description.contains("'toca' compares values") == true, "\(error?.description ?? "")")
  }

  @Test("networks that cannot are refused with the reason")
  func refusals() throws {
    let network = try ToyTransformer.random(seed: 1)
    func refused(_ text: String, _ word: String, _ change: (inout RunOutline) -> Void = { _ in }) throws {
      var run = outline(network)
      change(&run)
      let error = #expect(throws: AccelerationError.self) { try acceleration(text, run) }
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }
    try refused("toca", "by itself") { $0.tokens = nil }
    try refused("toca", "by itself") { $0.tokens?.traits.separable = [.crossAttention] }
    try refused("toca:score=entropy", "received, values, norm, change, age")
    #expect(throws: AccelerationError.self) {
      let plan = "{\"evaluations\": 12, \"sites\": {\"blocks.0.ff\": \"CTTCTTCTTCTT\"}}"
      return try Acceleration([AllAccelerators.make("plan", ["file": plan])], run: outline(network))
    }
  }

  @Test("the authors' program", arguments: ["attention", "many", "values", "norm", "none"])
  func parity(_ name: String) throws {
    let file = try SafetensorsFile(
      path: URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/toca-authors.safetensors").path)
    let cases = try JSONValue(parsing: #require(file.metadata["cases"])).array ?? []
    let settings = try #require(cases.first { $0["name"]?.string == name })
    let weights = try Dictionary(
      uniqueKeysWithValues: file.names.filter { $0.hasPrefix("model.") }.map { (String($0.dropFirst(6)), try file.tensor($0)) })
    let network = try Weights.load(from: TensorDictionary(weights), dtype: .float32) {
      ToyTransformer(size: 8, heads: 2, blocks: 28, rows: 4, columns: 4, weights: $0)
    }.model
    let expected = try file.tensor("out.\(name)")
    let count = expected.size(0)
    let slopes = settings["ratio_scheduler"]?.string == "ToCa-ddim50" ? "step-slope=2,layer-slope=-0.2" : "step-slope=0.4,layer-slope=0.8"
    let fresh = try #require(settings["fresh_ratio"]?.double)
    let text =
      "toca:interval=\(settings["fresh_threshold"]?.integer ?? 0),fresh=\(fresh),score=\(settings["score"]?.string ?? ""),"
      + "staleness=\(settings["soft_fresh_weight"]?.double ?? 0),parity=true,\(slopes)"
    let session = try acceleration(text, outline(network, steps: count, branches: ["positive", "negative"])).makeSession()
    let (first, last) = (try file.tensor("in.first"), try file.tensor("in.last"))
    var state = try file.tensor("in.initial")
    for index in 0..<count {
      let level = NoiseLevel(timestep: 1000 - 10 * Double(index), alpha: 0.5, sigma: 0.5)
      var context = StepContext(step: index, stepCount: count, evaluation: index, evaluationCount: count, level: level)
      context.branches = ["positive", "negative"]
      let angle = 1.5 * Double(index) / Double(count)
      let output = try withInference {
        try withTensorErrors {
          try network(
            state, condition: first * cos(angle) + last * sin(angle), evaluation: Evaluation(context, policy: session.sites))
        }
      }
      let difference = try gap(output, withTensorErrors { expected.select(0, index: index) })
      #expect(difference < 1e-4, "evaluation \(index): \(difference)")
      state = try withTensorErrors { state - output / Double(count) }
    }
    #expect(session.reports[0].saved > 0)
  }
}
