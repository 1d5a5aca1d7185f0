import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import Testing

/// Decisions as data: what is read, what is written back, and what is refused by name.
@Suite struct UnifiedDecisionTests {
  private func problem(_ json: String, steps: Int = 3) -> String {
    do {
      let schedule = try DiscreteVPSchedule()
      let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: steps)
      _ = try AllSolvers.make("usf", ["decisions": json]).compile(schedule: schedule, grid: grid)
      return ""
    } catch { return "\(error)" }
  }

  @Test func ordersOfDecisionsMadeInCodeAreChecked() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: 9)
    for order in [0, 7] {
      let decisions = UnifiedDecisions(steps: [UnifiedStep(order: order, derivatives: [])] + Array(repeating: UnifiedStep(), count: 8))
      #expect { try USF(decisions: decisions).compile(schedule: schedule, grid: grid) } throws: {
        "\($0)".contains("has order \(order); allowed: 1…6")
      }
    }
  }

  @Test func mistakesAreNamed() {
    #expect(problem(#"{"every":{"order":2}}"#) == "")
    #expect(problem(#"{"evry":{}}"#).contains("no member 'evry'"))
    #expect(problem(#"{}"#).contains("either 'every' or 'steps'"))
    #expect(problem(#"{"every":{"ordr":2}}"#).contains("every: no member 'ordr'"))
    #expect(problem(#"{"every":{"prediction":"noise"}}"#).contains("allowed: denoised, epsilon"))
    #expect(problem(#"{"every":{"prediction":1.5}}"#).contains("0…1"))
    #expect(problem(#"{"every":{"order":"two"}}"#).contains("every.order"))
    #expect(problem(#"{"every":{"order":9}}"#, steps: 12).contains("every.order: order 9; allowed: 1…6"))
    #expect(problem(#"{"steps":[{},{}]}"#).contains("decisions for 2 steps; the grid has 3"))
    #expect(
      problem(#"{"steps":[{"order":2},{},{}]}"#).contains("step 0 of solver 'usf' estimates derivative 1 from the evaluation of age 1"))
    #expect(problem(#"{"steps":[{},{"order":2,"derivatives":[]},{}]}"#).contains("order 2 and 0 estimates"))
    #expect(problem(#"{"steps":[{},{"order":2,"derivatives":[{"points":[0]}]},{}]}"#).contains("the start, not"))
    #expect(problem(#"{"steps":[{},{"start":2},{}]}"#).contains("age 2; 2 states"))
    #expect(problem(#"{"steps":[{},{},{"corrector":{"order":2}}]}"#).contains("no evaluation follows the last step"))
    #expect(problem(#"{"steps":[{"eta":1,"corrector":{"order":2}},{},{}]}"#).contains("correctors need eta 0"))
    #expect(problem(#"{"steps":[{"eta":0.5,"prediction":"velocity"},{},{}]}"#).contains("adds noise"))
    #expect(problem(#"{"steps":[{"eta":2},{},{}]}"#).contains("eta 2"))
    #expect(problem(#"{"every":{"order":2,"derivatives":[{"points":[1],"relaxation":"bh3"}]}}"#).contains("relaxation 'bh3'"))
    #expect(problem(#"{"every":{"order":2,"derivatives":[{"points":[1],"relaxation":"bh2","coefficient":1}]}}"#).contains("coefficient"))
    #expect(problem(#"{"every":{"order":2,"derivatives":[{}]}}"#).contains("'points' is missing"))
    #expect(problem("/nowhere/decisions.json").contains("'/nowhere/decisions.json' cannot be read"))
    #expect(problem(#"{"every":"#).contains("the decisions"))
  }

  /// Numbers that lists would be made of, or states looked up by, before a plan is checked.
  @Test func numbersAreBounded() {
    for order in [Int.min, -1, 0, 7, 1_000_000_000, .max] {
      #expect(problem(#"{"every":{"order":\#(order),"start":1}}"#).contains("every.order: order \(order); allowed: 1…6"))
      #expect(problem(#"{"every":{"corrector":{"order":\#(order)}}}"#).contains("corrector.order: order \(order); allowed: 1…6"))
    }
    for start in [Int.min, -5, 1_000_001, .max] {
      #expect(problem(#"{"steps":[{"start":\#(start)},{},{}]}"#).contains("start: start \(start); allowed: 0…1000000"))
      #expect(problem(#"{"every":{"corrector":{"order":2,"start":\#(start)}}}"#).contains("allowed: 0…1000000"))
      let base = #"usf:decisions={"steps":[{"start":\#(start)}]}"#
      for solver in ["dualfast", "unic"] {
        #expect(throws: ParameterError.self) { try AllSolvers.make(solver, ["base": base]) }
      }
    }
    // As far as it may go, it is the plan's check that refuses.
    #expect(problem(#"{"steps":[{"order":6,"start":1000000},{},{}]}"#).contains("age 1000000; 1 states"))
  }

  @Test func writtenAndReadBack() throws {
    let json =
      #"{"first-evaluation":"zero","sigmas":[10,2,0.5,0],"steps":[{"order":1,"prediction":"epsilon"},"#
      + #"{"corrector":{"kind":"implicit","order":3},"derivatives":[{"coefficient":0.1,"points":[1],"relaxation":"linear"}],"order":2,"#
      + #""prediction":0.25},{"anchor":{"point":"previous","strength":0.1},"order":1,"prediction":"denoised"}]}"#
    let decisions = try UnifiedDecisions(textOrPath: json)
    #expect(try UnifiedDecisions(textOrPath: decisions.json) == decisions)
    let file = URL.temporaryDirectory.appending(path: "decisions-\(UUID().uuidString).json")
    try Data(json.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(try UnifiedDecisions(textOrPath: file.path()) == decisions)
    // What is stored with a picture does not depend on the file.
    #expect(try USF.resolved(["decisions": file.path()]) == ["decisions": decisions.json])
  }

  @Test func ownLevels() throws {
    let schedule = try DiscreteVPSchedule()
    let solver = try AllSolvers.make("usf", ["decisions": #"{"sigmas":[10,2,0.5,0],"steps":[{},{"order":2},{}]}"#])
    let grid = try #require(try solver.ownGrid(schedule: schedule))
    for (found, expected) in zip(grid.coordinates(), [10, 2, 0.5, 0]) { #expect(abs(found - expected) < 1e-12) }
    #expect(try solver.compile(schedule: schedule, grid: grid).evaluationCount == 3)
    let other = try AllGrids.make("linspace").grid(schedule: schedule, steps: 3)
    #expect { try solver.compile(schedule: schedule, grid: other) } throws: { "\($0)".contains("levels of its own") }
    #expect(try AllSolvers.make("ddim").ownGrid(schedule: schedule) == nil)
  }

  /// The saved evaluation is not made, an implicit corrector makes one more.
  @Test func evaluationsAreCounted() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 5)
    func count(_ json: String) throws -> Int {
      try AllSolvers.make("usf", ["decisions": json]).compile(schedule: schedule, grid: grid).evaluationCount
    }
    #expect(try count(#"{"every":{"order":2}}"#) == 5)
    #expect(try count(#"{"first-evaluation":"zero","every":{"order":2}}"#) == 4)
    #expect(try count(#"{"every":{"order":2,"corrector":{"order":3}}}"#) == 5)
    let zero = #"usf:decisions={"first-evaluation":"zero","every":{"order":2}}"#
    for solver in ["unic", "dualfast"] {
      #expect(try AllSolvers.make(solver, ["base": zero]).compile(schedule: schedule, grid: grid).evaluationCount == 4)
    }
    #expect(try count(#"{"every":{"order":2,"corrector":{"order":3,"kind":"implicit"}}}"#) == 9)
  }

  @Test func basesAreChecked() {
    func problem(_ solver: String, _ base: String) -> String {
      do {
        let schedule = try DiscreteVPSchedule()
        let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 4)
        _ = try AllSolvers.make(solver, ["base": base]).compile(schedule: schedule, grid: grid)
        return ""
      } catch { return "\(error)" }
    }
    #expect(problem("unic", "deis:order=3;variable=rho") == "")
    #expect(problem("unic", "heun").contains("'heun', which is no list of exponential steps that is known beforehand; allowed: ddim"))
    #expect(problem("unic", "dpm-adaptive").contains("known beforehand"))
    #expect(problem("unic", "hun").contains("did you mean 'heun'"))
    #expect(problem("unic", "unipc").contains("has correctors already"))
    #expect(problem("unic", "sde-dpm++").contains("correctors need eta 0"))
    #expect(problem("unic", "ddim:eta=1").contains("allowed: eta 0"))
    #expect(problem("dualfast", "euler:s-churn=40").contains("euler with s-churn 40.0") && problem("dualfast", "euler:s-churn=0") == "")
    #expect(problem("dualfast", "dpm++-2m:variant").contains("parameter=value"))
    #expect(problem("dualfast", "dpm++-2m:varint=taylor").contains("varint"))
  }

  @Test func listsAreChecked() throws {
    for text in ["1", "[-1]", "[a]", "[1.5]", ""] {
      #expect(throws: ParameterError.self) { try AllSolvers.make("unipc", ["disable-corrector": text]) }
    }
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 6)
    func rows(_ text: String) throws -> Int {
      try AllSolvers.make("unipc", ["disable-corrector": text]).compile(schedule: schedule, grid: grid).rows.count
    }
    #expect(try rows("[]") == 11 && rows("[0,3]") == 9)
  }

  @Test func blocksMustFit() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("log-snr").grid(schedule: schedule, steps: 5)
    func compile(_ parameters: [String: String]) throws -> Tableau {
      try AllSolvers.make("dpm-singlestep", parameters).compile(schedule: schedule, grid: grid)
    }
    #expect(try compile(["blocks": "official", "evaluations": "12"]).evaluationCount == 12)
    #expect { try compile(["blocks": "official", "evaluations": "30"]) } throws: { "\($0)".contains("30 evaluations into 11 steps") }
    #expect { try compile(["stages": "grid", "evaluations": "5"]) } throws: { "\($0)".contains("stages=grid") }
    #expect(throws: TableauError.self) { try AllSolvers.make("dpm++-3s", ["eta": "1"]) }
  }

  /// A run that begins late takes the end of the whole run's list of blocks, on top of which whatever stands.
  @Test(arguments: [
    ("dpm-singlestep", "official", 20, [3, 3, 3, 3, 3, 3, 2]), ("dpm-singlestep", "official", 18, [3, 3, 3, 3, 3, 2, 1]),
    ("dpm-singlestep", "fixed", 19, [3, 3, 3, 3, 3, 3, 1]), ("dpm++-3s", "official", 19, [3, 3, 3, 3, 3, 3, 1]),
    ("dpm++-2s", "official", 13, [2, 2, 2, 2, 2, 2, 1]), ("dpm++-2s", "lowered", 12, [2, 2, 2, 2, 2, 1, 1]),
  ])
  func lateStartsTakeTheEndOfTheList(_ solver: String, _ blocks: String, _ evaluations: Int, _ list: [Int]) throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("log-snr", ["final": "smallest"]).grid(schedule: schedule, steps: list.count)
    let parameters = ["blocks": blocks, "evaluations": "\(evaluations)"]
    let base = "\(solver):blocks=\(blocks);evaluations=\(evaluations)"
    let solvers = try [
      AllSolvers.make(solver, parameters), AllSolvers.make("unic", ["base": base]), AllSolvers.make("dualfast", ["base": base]),
    ]
    for (index, made) in solvers.enumerated() {
      for skipped in list.indices {
        let table = try made.beginning(at: skipped, of: list.count).compile(schedule: schedule, grid: grid.suffix(fromStep: skipped))
        #expect(table.evaluationCount == list[skipped...].reduce(0, +), "\(type(of: made)), \(skipped) steps left out")
        guard index == 0 else { continue }
        let found = (0..<table.stepCount).map { step in table.rows.count { $0.step == step && $0.evaluation != nil } }
        #expect(found == Array(list[skipped...]), "\(skipped) steps left out")
      }
      #expect { try made.beginning(at: 2, of: 5) } throws: { "\($0)".contains("into \(list.count) steps; the grid has 5") }
    }
    let run = try SamplingRun(
      solver: solvers[0], schedule: schedule, grid: grid, start: .from(Tensor([0.1], shape: [1, 1]), strength: 0.5))
    #expect(run.skippedSteps == 4 && run.tableau.evaluationCount == list[4...].reduce(0, +))
    // Others say nothing of the whole run.
    let (heun, rest) = (try AllSolvers.make("heun"), try grid.suffix(fromStep: 3))
    #expect(try heun.beginning(at: 3, of: 7).compile(schedule: schedule, grid: rest) == heun.compile(schedule: schedule, grid: rest))
  }
}
