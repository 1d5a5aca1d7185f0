import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct ExtrapolationTests {
  /// Σ weight·value at the nodes.
  private func estimate(_ rule: any Extrapolation, _ nodes: [Double], _ target: Double, _ order: Int, _ f: (Double) -> Double) -> Double {
    zip(rule.weights(nodes: nodes, target: target, order: order), nodes).reduce(0) { $0 + $1.0 * f($1.1) }
  }

  @Test("Newton's rule continues polynomials of its order on any nodes", arguments: 0...4)
  func newton(_ order: Int) {
    let nodes = [11.0, 8.5, 8, 3, 1]
    func f(_ x: Double) -> Double { (0...order).reduce(0) { $0 + pow(x / 5, Double($1)) * Double($1 + 1) } }
    #expect(abs(estimate(NewtonExtrapolation(), nodes, 13, order, f) - f(13)) < 1e-9 * abs(f(13)))
  }

  /// The authors' recursion, value by value: F⁽ⁱ⁺¹⁾ = (F⁽ⁱ⁾ − old F⁽ⁱ⁾)/Δ, then Σ F⁽ⁱ⁾ jⁱ/i!.
  @Test("Taylor's rule is the authors' recursion", arguments: 0...4)
  func taylor(_ order: Int) {
    let rising = [0.0, 1, 2, 6, 10, 15, 17]
    func f(_ x: Double) -> Double { sin(x / 4) + x * x / 50 }
    var (factors, last): ([Double], Double?) = ([], nil)
    for (index, node) in rising.enumerated() {
      var new = [f(node)]
      for i in 0..<order where i < factors.count { new.append((new[i] - factors[i]) / (node - (last ?? node))) }
      (factors, last) = (new, node)
      let target = node + 2.5
      var expected = 0.0
      var term = 1.0
      for (i, factor) in factors.enumerated() {
        if i > 0 { term *= 2.5 / Double(i) }
        expected += factor * term
      }
      let nodes = Array(rising[...index].reversed().prefix(order + 1))
      #expect(abs(estimate(TaylorExtrapolation(), nodes, target, order, f) - expected) < 1e-12)
    }
  }

  @Test("orders higher than there are values fall back")
  func fewValues() {
    #expect(TaylorExtrapolation().weights(nodes: [4], target: 6, order: 3) == [1])
    #expect(NewtonExtrapolation().weights(nodes: [4], target: 6, order: 3) == [1])
    #expect(TaylorExtrapolation().weights(nodes: [4, 2], target: 6, order: 3) == [2, -1])
  }

  /// A toy network whose two branches see different inputs, all together or one by one.
  private func guided(_ texts: [String], _ batching: GuidedDenoiser.Batching, steps: Int = 8) throws -> (
    states: [Tensor], session: AccelerationSession
  ) {
    let network = try ToyNetwork.random(seed: 1)
    var run = outline(network, steps: steps)
    for index in run.calls.indices { run.calls[index].branches = ["negative", "positive"] }
    let session = try Acceleration(texts.map(method), run: run).makeSession()
    let denoiser = GuidedDenoiser(
      parametrisation: .sample, guidance: try .classifierFree(scale: 2), batching: batching, policies: session.calls
    ) { input, context in
      let shifts = context.branches.map { $0 == "negative" ? 0.5 : -0.25 }
      let parts = input.chunk(shifts.count, dim: 0)
      return try network(
        .cat(zip(parts, shifts).map { $0 + $1 }, dim: 0), evaluation: Evaluation(context, policy: session.sites))
    }
    var state = try network.sample(seed: 3)
    let states = try (0..<steps).map { step in
      let call = run.calls[step]
      let context = StepContext(step: step, stepCount: steps, evaluation: step, evaluationCount: steps, level: call.level)
      state = try withTensorErrors { try withInference { state - (try denoiser.denoised(state, context: context)) * 0.1 } }
      return state
    }
    return (states, session)
  }

  @Test("branches stacked or one by one, caches answer alike", arguments: LawTests.planned)
  func batching(_ text: String) throws {
    let (together, stacked) = try guided([text], .together)
    let (apart, separate) = try guided([text], .split)
    for (step, (a, b)) in zip(together, apart).enumerated() {
      // Rounding alone: a few units of the last place of the largest value.
      let scale = try withTensorErrors { b.abs().amax().to(.float64) }.item()
      #expect(try a.largestDifference(from: b) < 4e-6 * scale, "step \(step)")
    }
    #expect(separate.reports[0].computed == 2 * stacked.reports[0].computed)
    #expect(separate.reports[0].saved == 2 * stacked.reports[0].saved && separate.reports[0].forced == 0)
  }

  @Test("what a plan meant to be new and was not is computed, whoever left it out")
  func staleness() throws {
    // The branch is evaluated at 0, 3 and 6, the modules at 0, 2, 4 and 6: at 3 the branch's features are those of 0.
    let (states, session) = try guided(["guidance-cache:interval=3,start=0", "fora:interval=2"], .together)
    #expect(session.reports[0].actions["blocks.0.ff"] == "CRCCCRCR" && session.reports[0].forced == 8)
    #expect(session.reports[1].actions == ["call.negative": "CRRCRRCR"])
    #expect(try withTensorErrors { states[7].isFinite().all() }.item() != 0)
  }

  @Test("a cached branch's answer is what is kept of it")
  func guidance() throws {
    // The branches of this network differ by a constant, so that the difference is exact and the output is not.
    func run(_ text: String?) throws -> (Tensor, [AccelerationReport]) {
      var calls: [RunOutline.Call] = []
      for step in 0..<6 {
        calls.append(
          .init(step: step, level: NoiseLevel(timestep: Double(9 - step), alpha: 0.5, sigma: 0.5), branches: ["negative", "positive"]))
      }
      let outline = RunOutline(network: "a line", stepCount: 6, calls: calls, sites: [])
      let session = try Acceleration(text.map { [try method($0)] } ?? [], run: outline).makeSession()
      let denoiser = GuidedDenoiser(parametrisation: .sample, guidance: try .classifierFree(scale: 3), policies: session.calls) {
        input, context in
        let parts = input.chunk(context.branches.count, dim: 0)
        return .cat(zip(parts, context.branches).map { $0 * context.level.timestep + ($1 == "negative" ? 2 : 5) }, dim: 0)
      }
      var state = Tensor([Double](repeating: 0.3, count: 4), shape: [2, 2])
      for (step, call) in calls.enumerated() {
        let context = StepContext(step: step, stepCount: 6, evaluation: step, evaluationCount: 6, level: call.level)
        state = try withTensorErrors { try denoiser.denoised(state, context: context) * 0.1 }
      }
      return (state, session.reports)
    }
    let exact = try run(nil).0
    let (difference, reports) = try run("guidance-cache:interval=3,start=0")
    #expect(try difference.largestDifference(from: exact) < 1e-12)
    #expect(reports[0].actions == ["call.negative": "CRRCRR"])
    #expect(try run("guidance-cache:interval=3,start=0,keep=output").0.largestDifference(from: exact) > 1e-3)
  }
}
