import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Methods that decide which branches of guidance are evaluated.
@Suite struct BranchTests {
  private static let steps = 8

  private func run(_ network: ToyNetwork) -> RunOutline {
    var run = outline(network, steps: Self.steps)
    for index in run.calls.indices { run.calls[index].branches = ["negative", "positive"] }
    return run
  }

  private func refusal(_ run: RunOutline, _ texts: String...) throws -> String {
    let methods = try texts.map { try method($0) }
    let error = #expect(throws: AccelerationError.self, "\(texts)") { try Acceleration(methods, run: run) }
    return try #require(error).description
  }

  @Test("one method decides a branch") func conflicts() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    #expect(try refusal(run, "guidance-cache", "guidance-cache:interval=2").contains("given twice"))
    let planned = try AllAccelerators.make("plan", ["file": #"{"evaluations": 8, "sites": {"call.negative": "CRCRCRCR"}}"#])
    #expect(throws: AccelerationError.self) { try Acceleration([planned, method("guidance-cache")], run: run) }
    #expect(try refusal(run, "fastercache", "guidance-cache").contains("'negative'"))
    // What is decoded at once has the branches of one evaluation.
    #expect(try refusal(run, "faster-diffusion:schedule=uniform,interval=4,span=3", "guidance-cache").contains("negative"))
    _ = try Acceleration([method("faster-diffusion:schedule=uniform,interval=4"), method("guidance-cache")], run: run)
    _ = try Acceleration([method("easycache"), method("guidance-cache")], run: run)
  }

  /// What a plan makes of outputs that are the evaluation's number, and 100 more for the prompt.
  private func outputs(_ plan: String, _ run: RunOutline) throws -> (told: [[Float]], asked: [[String]]) {
    let session = try Acceleration([AllAccelerators.make("plan", ["file": plan])], run: run).makeSession()
    let policy = try #require(session.calls.first)
    var (told, asked): ([[Float]], [[String]]) = ([], [])
    for (index, call) in run.calls.enumerated() {
      let context = StepContext(
        step: index, stepCount: Self.steps, evaluation: index, evaluationCount: Self.steps, level: call.level)
      let answers = try policy.outputs(Tensor.zeros([1]), branches: call.branches, context: context) { _, branches, _ in
        asked.append(branches)
        return branches.map { Tensor([Float(index * index) + ($0 == "positive" ? 100 * Float(index) : 0)]) }
      }
      told.append(try answers.map { try $0.scalars(Float.self)[0] })
    }
    return (told, asked)
  }

  @Test("a branch that is left out is the prompt's") func leftOut() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    let (told, asked) = try outputs(#"{"evaluations": 8, "sites": {"call.negative": "CIRICCII"}}"#, run)
    #expect(asked.map(\.count) == [2, 1, 1, 1, 2, 2, 1, 1])
    #expect(told[1] == [101, 101] && told[3] == [309, 309] && told[7] == [749, 749])
    #expect(told[2] == [0, 204], "the output of evaluation 0 is kept")
    #expect(throws: AccelerationError.self) { try outputs(#"{"evaluations": 8, "sites": {"call.positive": "CIIIIIII"}}"#, run) }
    // The prompt's branch differs from itself by nothing, which would be taken for its output.
    let difference = #"{"evaluations": 8, "sites": {"call.positive": "CRCRCRCR"}, "keeps": {"call.positive": "difference"}}"#
    #expect(throws: AccelerationError.self) { try outputs(difference, run) }
  }

  @Test("branches that come and go with the interval of guidance, and runs that have one") func windows() throws {
    var run = run(try ToyNetwork.random(seed: 1))
    for index in [0, 1, 7] { run.calls[index].branches = ["positive"] }
    let (told, asked) = try outputs(#"{"evaluations": 8, "sites": {"call.negative": "CCCRRCRC"}}"#, run)
    #expect(asked.map(\.count) == [1, 1, 2, 1, 1, 2, 1, 1])
    #expect(told[3] == [4, 309] && told[6] == [25, 636] && told[7] == [749])
    for index in run.calls.indices { run.calls[index].branches = ["positive"] }
    let alone = #expect(throws: AccelerationError.self) {
      try outputs(#"{"evaluations": 8, "sites": {"call.positive": "CRCRCRCR"}}"#, run)
    }
    #expect(try #require(alone).description.contains("does not have"))
    #expect(try acceleration("fastercache", run).warnings.contains { $0.contains("attentions alone") })
  }

  @Test("a plan may keep differences") func differences() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    let (told, _) = try outputs(
      #"{"evaluations": 8, "sites": {"call.negative": "CCRRCCRR"}, "keeps": {"call.negative": "difference"}}"#, run)
    // uncond = cond + (uncond − cond of evaluation 1, which is −100).
    #expect(told[2] == [104, 204] && told[3] == [209, 309])
    #expect(told[7] == [749 - 500, 749])
  }

  @Test("a branch is made anew where the evaluation it was to be made in was answered by another method") func skipped() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    let session = try acceleration("guidance-cache:interval=2,start=0", run).makeSession()
    let policy = try #require(session.calls.first)
    var asked: [Int: Int] = [:]
    for index in run.calls.indices where index != 2 {
      let context = StepContext(
        step: index, stepCount: Self.steps, evaluation: index, evaluationCount: Self.steps, level: run.calls[index].level)
      _ = try policy.outputs(Tensor.zeros([1]), branches: run.calls[index].branches, context: context) { _, branches, _ in
        asked[index] = branches.count
        return branches.map { _ in Tensor([Float(index)]) }
      }
    }
    #expect(asked == [0: 2, 1: 1, 3: 2, 4: 2, 5: 1, 6: 2, 7: 1])
    #expect(session.reports.map(\.forced) == [1])
  }

  @Test("a plan holds one range of blocks") func ranges() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    let plan = #"{"evaluations": 8, "sites": {"blocks[0..<1]": "CRCRCRCR", "blocks[1..<2]": "CRCRCRCR"}}"#
    let error = #expect(throws: AccelerationError.self) { try Acceleration([AllAccelerators.make("plan", ["file": plan])], run: run) }
    #expect(try #require(error).description.contains("blocks[0..<1] and blocks[1..<2]"))
  }

  @Test("plans hold what is kept, and say what they cannot hold") func round() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    let guided = try acceleration("guidance-cache:interval=2", run)
    #expect(try guided.plan(for: run).keeps == ["call.negative": .difference] && guided.beyondPlans.isEmpty)
    let mag = try acceleration("magcache:threshold=1,ratios=1", run)
    #expect(Array(mag.keeps(for: run).values) == [.residual])
    for text in [
      "taylorseer:rule=newton,order=2", "taylorseer:abscissa=lambda", "fastercache", "stitch:models=a", "faster-diffusion:schedule=uniform",
    ] {
      #expect(try !acceleration(text, run).beyondPlans.isEmpty, "\(text)")
    }
    let newton = ["file": #"{"evaluations": 8, "sites": {"call.negative": "CRCRCRCR"}}"#, "rule": "newton"]
    #expect(try Acceleration([AllAccelerators.make("plan", newton)], run: run).beyondPlans.isEmpty, "it forecasts nothing")
    for text in ["fora", "deepcache", "taylorseer", "pab"] { #expect(try acceleration(text, run).beyondPlans.isEmpty, "\(text)") }
    let plan = try guided.plan(for: run)
    #expect(try SitePlan(source: plan.json()) == plan)
  }

  @Test("what has no input to pass on cannot be left out") func sites() throws {
    let network = try ToyNetwork.random(seed: 1)
    let run = run(network)
    for kind in [Site.Kind.down, .inner] {
      let site = try #require(network.sites.first { $0.kind == kind })
      let plan = #"{"evaluations": 8, "sites": {"\#(site.path)": "CICICICI"}}"#
      let error = #expect(throws: AccelerationError.self) { try Acceleration([AllAccelerators.make("plan", ["file": plan])], run: run) }
      #expect(try #require(error).description.contains("leaves '\(site.path)' out"))
    }
  }

  @Test("a decision about whole evaluations must not rest on NaN") func nan() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    func finish(brokenFrom broken: Int) throws {
      let policy = try #require(acceleration("easycache:threshold=0.01,warmup=2", run).makeSession().calls.first)
      for (index, call) in run.calls.enumerated() {
        let context = StepContext(
          step: index, stepCount: Self.steps, evaluation: index, evaluationCount: Self.steps, level: call.level)
        let input = Tensor([index < broken ? Float(index * index) : .nan])
        _ = try policy.outputs(input, branches: call.branches, context: context) { input, branches, _ in
          try withTensorErrors { branches.map { _ in input * 2 } }
        }
      }
    }
    try finish(brokenFrom: Self.steps)
    #expect(throws: AccelerationError.self) { try finish(brokenFrom: 4) }
  }

  @Test("shares without a step are told") func emptyShares() throws {
    let run = run(try ToyNetwork.random(seed: 1))
    #expect(try acceleration("stitch:models=small,fraction=0.04", run).warnings.contains { $0.contains("'small'") })
    #expect(try acceleration("stitch:models=small,fraction=0.4", run).warnings.isEmpty)
    let two = try acceleration("stitch:models=a+b,fraction=0.5/0.01", run).warnings
    #expect(two.count == 1 && two[0].contains("'b'"))
  }
}
