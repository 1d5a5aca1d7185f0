import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Estimates and decisions in closed form.
@Suite struct ForecastTests {
  private func forecast(_ rule: any Extrapolation, _ nodes: [Double], _ target: Double, _ order: Int, _ value: (Double) -> Double) -> Double
  {
    zip(rule.weights(nodes: nodes, target: target, order: order), nodes).reduce(0) { $0 + $1.0 * value($1.1) }
  }

  @Test func taylorByHand() {
    // Y = k², full at 0, 3, 6: F' = 9, F'' = ((36 − 9)/3 − (9 − 0)/3)/3 = 2; at 8: 36 + 9·2 + 2·4/2.
    #expect(abs(forecast(TaylorExtrapolation(), [6, 3, 0], 8, 2) { $0 * $0 } - (36 + 18 + 4)) < 1e-12)
    // Fewer values than the order asks for.
    #expect(TaylorExtrapolation().weights(nodes: [4], target: 9, order: 3) == [1])
  }

  @Test func heunByHand() {
    // Y = 2k: slope 2 per evaluation; the value before, and the last change, are exact, so the forecast is.
    for target in [7.0, 8, 9] { #expect(abs(forecast(HeunExtrapolation(), [6, 5, 4], target, 1) { 2 * $0 } - 2 * target) < 1e-12) }
    // Beyond three evaluations it is drawn back: e = 6 has half the growth of e = 3.
    #expect(abs(forecast(HeunExtrapolation(), [6, 5, 4], 12, 1) { 2 * $0 } - (12 + 0.5 * 6)) < 1e-12)
    #expect(HeunExtrapolation().weights(nodes: [6], target: 8, order: 1) == [1])
  }

  @Test func risingByHand() {
    let rule = RisingExtrapolation(first: 0, last: 1, evaluations: 11)
    #expect(rule.weights(nodes: [4, 2], target: 5, order: 1) == [1.5, -0.5])
    #expect(rule.weights(nodes: [4], target: 5, order: 1) == [1])
  }

  @Test func aPolynomialIsFoundAgain() throws {
    let wanted = [498.651651, -283.781631, 55.8554382, -3.82021401, 0.264230861]
    func value(_ x: Double) -> Double { wanted.reduce(0) { $0 * x + $1 } }
    let fit = try PolynomialFit((1...40).map { (x: Double($0) / 200, y: value(Double($0) / 200)) }, degree: 4)
    for (found, expected) in zip(fit.coefficients, wanted) { #expect(abs(found - expected) < 1e-6 * abs(expected)) }
    #expect(abs(fit.explained - 1) < 1e-9)
    #expect(throws: AccelerationError.self) { try PolynomialFit([(1, 1), (1, 2), (1, 3)], degree: 1) }
    #expect(throws: AccelerationError.self) { try PolynomialFit([(1, 1), (2, 2)], degree: 4) }
  }

  private func codes(_ text: String, steps: Int = 12) throws -> String {
    let network = try ToyNetwork.random(seed: 1)
    let acceleration = try acceleration(text, outline(network, steps: steps))
    let session = acceleration.makeSession()
    _ = try SitePolicyLaws.Request(network.callAsFunction, policy: session.sites, initial: network.sample(seed: 2), steps: steps).finish()
    let actions = session.reports[0].actions
    return try #require(actions.first { $0.key.hasPrefix("blocks[") }?.value ?? actions["blocks.0"] ?? actions["blocks.0.attn"])
  }

  @Test("limits hold whatever the signals say")
  func limits() throws {
    #expect(try codes("cg-taylor:threshold=10,order=1,gate-order=0,warmup=3") == "CCC11111111C")
    #expect(try codes("cg-taylor:threshold=10,order=0,gate-order=0,warmup=2,continuous=3") == "CCRRRCRRRCRC")
    #expect(try codes("dbcache:threshold=10,warmup=2,continuous=2") == "CCRRCRRCRRCR")
    #expect(try codes("dbcache:threshold=10,warmup=1,total=3,estimate=taylor,order=2") == "C222CCCCCCCC")
    #expect(try codes("teacache:threshold=100,continuous=4") == "CRRRRCRRRRCC")
    #expect(try codes("magcache:threshold=1,ratios=1,retention=0.25,continuous=2") == "CCCRRCRRCRRC")
    #expect(try codes("taylorseer:interval=4,warmup=2,order=1,last=true") == "CC111C111C1C")
    #expect(try codes("taylorseer:interval=4,warmup=2,order=1,schedule=hook") == "CC1C111C111C")
    // Drafts follow every full evaluation; six are too many for it here.
    #expect(try codes("speca:threshold=10,warmup=3,most=5,order=1") == "C1C11111C111")
    #expect(try codes("speca:threshold=0.0001,floor=0.0001,warmup=3,most=5,order=1") == "C1C11C11C11C")
  }

  @Test("magnitudes by hand")
  func magnitudes() throws {
    // Products .95, .9025, .857: errors .05, .1475, .29.
    #expect(try codes("magcache:threshold=0.15,ratios=0.95,retention=0.1,continuous=9") == "CRRCRRCRRCRR")
  }

  @Test("expected changes add up")
  func changes() throws {
    // A constant polynomial: every evaluation counts 1, three of them are too many.
    #expect(try codes("teacache:threshold=2.5,coefficients=1") == "CRRCRRCRRCRC")
  }

  @Test("differences decide how long modules are reused")
  func differences() throws {
    let file = """
      {"kind": "differences", "model": "toy", "evaluations": 8, "samples": 1, "differences":
       {"attention": [[0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1], [0.1, 0.9, 0.1, 0.1, 0.9, 0.1], [0.9, 0.9, 0.9, 0.9, 0.9]]}}
      """
    let network = try ToyNetwork.random(seed: 1)
    let run = outline(network, steps: 8)
    func made(_ parameters: [String: String]) throws -> Acceleration {
      try Acceleration([AllAccelerators.make("smoothcache", parameters)], run: run)
    }
    let plan = try made(["file": file, "threshold": "0.5"]).plan(for: run)
    #expect(plan.actions["blocks.0.attn"]?.codes == "CRRCRRCC" && plan.actions["blocks.0.ff"] == nil)
    #expect(try made(["file": file, "threshold": "0.5", "last": "false"]).plan(for: run).actions["blocks.1.attn"]?.codes == "CRRCRRCR")
    #expect(throws: AccelerationError.self) { try made([:]) }
    #expect(throws: AccelerationError.self) {
      try Acceleration([AllAccelerators.make("smoothcache", ["file": file])], run: outline(network, steps: 9))
    }
    #expect(throws: AccelerationError.self) { try AllAccelerators.make("magcache", ["file": file]) }
    #expect(throws: AccelerationError.self) { try AllAccelerators.make("teacache", ["file": "/nowhere.json"]) }
  }

  @Test func filesOfOtherModelsAreRefused() throws {
    let network = try ToyNetwork.random(seed: 1)
    var run = outline(network, steps: 8)
    var calibration = CacheCalibration(
      kind: .magnitudes, model: "another", fingerprint: "a", evaluations: 8, samples: 1, guidanceScale: nil)
    calibration.ratios = [1]
    let method = try AllAccelerators.make("magcache", ["file": calibration.json()])
    _ = try Acceleration([method], run: run)
    run.identity = RunIdentity(fingerprint: "b", solver: "ddim", guidanceScale: 1)
    let error = #expect(throws: AccelerationError.self) { try Acceleration([method], run: run) }
    #expect(try #require(error).description.contains("another"))
    run.identity?.fingerprint = "a"
    _ = try Acceleration([method], run: run)
    let missing = #expect(throws: AccelerationError.self) { try Acceleration([AllAccelerators.make("magcache")], run: run) }
    #expect(try #require(missing).description.contains("calibrate magcache"))
  }

  @Test func contradictionsAreRefused() throws {
    let network = try ToyNetwork.random(seed: 1)
    let run = outline(network, steps: 8)
    for text in [
      "dbcache:first=3,last=1", "pab:from=0.1,to=0.5", "speca:least=9,most=2", "teacache:file=x,coefficients=1",
    ] {
      #expect(throws: AccelerationError.self, "\(text)") { try acceleration(text, run) }
    }
    let idle = ["dbcache:order=3", "deepcache:centre=0.5", "deepcache:power=2", "faster-diffusion:interval=2"]
    #expect(throws: AccelerationError.self) { try acceleration("faster-diffusion:schedule=pro,keys=0/2", run) }
    for text in idle { #expect(throws: ParameterError.self, "\(text)") { try acceleration(text, run) } }
    #expect(try acceleration("teacache:threshold=1", run).warnings.contains { $0.contains("no coefficients") })
    var plain = run
    plain.sites = []
    for method in AllAccelerators.all
    where method.declaration.needs.contains(where: { $0.contains("list of blocks") || $0.contains("modules") }) {
      // What needs a file or a choice refuses to be made without it.
      guard let made = try? AllAccelerators.make(method.declaration.name) else { continue }
      #expect(throws: AccelerationError.self, "\(method.declaration.name)") { try Acceleration([made], run: plain) }
    }
  }

  @Test("plans that people make by hand", arguments: HeuristicPlan.standard)
  func heuristics(_ heuristic: HeuristicPlan) throws {
    let network = try ToyNetwork.random(seed: 1)
    let run = outline(network, steps: 10)
    let plan = try heuristic.plan(for: run)
    #expect(plan.actions.values.allSatisfy { $0[0] == .compute })
    #expect(plan.stretchedNames(to: 17) == Set(plan.actions.keys))
    if case .gated = heuristic { return }
    let session = try Acceleration([AllAccelerators.make("plan", ["file": plan.json()])], run: run).makeSession()
    _ = try SitePolicyLaws.Request(network.callAsFunction, policy: session.sites, initial: network.sample(seed: 2), steps: 10).finish()
    #expect(try session.reports[0].actions == plan.actions.mapValues(\.codes))
  }

  @Test func badHeuristics() throws {
    let run = outline(try ToyNetwork.random(seed: 1), steps: 10)
    #expect(throws: AccelerationError.self) { try HeuristicPlan.every(interval: 0).plan(for: run) }
    #expect(throws: AccelerationError.self) { try HeuristicPlan.gated(share: 2, interval: 1).plan(for: run) }
    #expect(try HeuristicPlan.every(interval: 3).plan(for: run).actions["blocks.0.ff"]?.codes == "CRRCRRCRRC")
    #expect(try HeuristicPlan.spacedBlocks(interval: 2, stride: 2).plan(for: run).actions["blocks.0.ff"] == nil)
    #expect(try HeuristicPlan.attention(interval: 2).plan(for: run).actions["blocks.0.ff"] == nil)
  }

  @Test("EasyCache leaves out what changes little, for all branches together")
  func easyCache() throws {
    let steps = 10
    let network = try ToyNetwork.random(seed: 1)
    let session = try acceleration("easycache:threshold=0.2,warmup=3", outline(network, steps: steps)).makeSession()
    let policy = try #require(session.calls.first)
    var calls: [Int] = []
    // Output 3x + 1 of inputs that change by a tenth per evaluation: k = 3, and a change of 3·0.1/|O|.
    for index in 0..<steps {
      let input = Tensor([Float(2 + 0.1 * Double(index))], shape: [1, 1])
      let context = StepContext(
        step: index, stepCount: steps, evaluation: index, evaluationCount: steps, level: NoiseLevel(timestep: 1, alpha: 1, sigma: 1))
      let outputs = try policy.outputs(input, branches: ["a", "b"], context: context) { input, names, _ in
        calls.append(index)
        return try withTensorErrors { names.map { _ in input * 3 + 1 } }
      }
      #expect(outputs.count == 2)
      // What is left out goes on with the input's own change.
      if let last = calls.last, last != index {
        let expected = 3 * (2 + 0.1 * Double(last)) + 1 + 0.1 * Double(index - last)
        #expect(abs(try outputs[1].item() - expected) < 1e-5)
      }
    }
    // |O| is 7.6, 8.8 …: 0.3/7.6 = 0.039 per evaluation; five of them stay below 0.2.
    #expect(calls == [0, 1, 2, 8, 9])
    #expect(session.reports[0].computed == 5 && session.reports[0].saved == 5 && session.reports[0].peakBytes > 0)
  }
}

extension SitePlan {
  fileprivate func stretchedNames(to count: Int) -> Set<String> { Set((try? stretched(to: count))?.actions.keys.map { $0 } ?? []) }
}
