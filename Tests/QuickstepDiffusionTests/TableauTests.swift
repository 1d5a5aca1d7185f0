import Foundation
import QuickstepDiffusion
import QuickstepNN
import Testing

@Suite struct TableauTests {
  private let levels = [1.0, 0.5, 0.0].map { NoiseLevel(timestep: $0 * 1000, alpha: 1 - $0, sigma: $0) }

  private func row(_ step: Int, _ evaluation: Int?, _ terms: [(Register, Double)], _ level: Int, finishes: Bool = true) -> Tableau.Row {
    Tableau.Row(
      step: step, evaluation: evaluation.map { Tableau.Evaluation(state: $0, level: levels[level - 1]) },
      terms: terms.map { Tableau.Term($0.0, Coefficient($0.1)) }, level: levels[level], finishesStep: finishes)
  }

  private func problem(_ rows: [Tableau.Row], steps: Int = 2) -> String {
    do {
      _ = try Tableau(solver: "test", stepCount: steps, initialLevel: levels[0], rows: rows)
      return ""
    } catch { return "\(error)" }
  }

  @Test func validationNamesTheRow() {
    let good = row(0, 0, [(.state(0), 0.5), (.denoised(0), 0.5)], 1)
    #expect(problem([good, row(1, 1, [(.denoised(1), 1)], 2)]) == "")
    #expect(problem([good, row(1, 2, [(.denoised(1), 1)], 2)]).contains("row 1 of tableau 'test' evaluates x2"))
    #expect(problem([good, row(1, nil, [(.denoised(1), 1)], 2)]).contains("m1 before its evaluation"))
    #expect(problem([good, row(1, 1, [(.state(2), 1)], 2)]).contains("reads x2"))
    #expect(problem([good, row(1, 1, [(.noise(1), 1)], 2)]).contains("next noise to be drawn there is z0"))
    #expect(problem([good, row(1, 1, [(.state(1), .nan)], 2)]).contains("nan"))
    #expect(problem([good, row(1, 1, [], 2)]).contains("combines nothing"))
    #expect(problem([good, row(1, 1, [(.state(1), 1), (.state(1), 1)], 2)]).contains("twice"))
    #expect(problem([good, row(0, 1, [(.state(1), 1)], 2)]).contains("belongs to step 0"))
    #expect(problem([good]).contains("finishes 1 steps; it says it has 2"))
    #expect(problem([good, row(1, 1, [(.state(1), 1)], 2, finishes: false)]).contains("last row"))
  }

  /// A predictor-corrector in the form UniPC will have: the evaluation at the predicted state first mends that state, then a row without
  /// evaluation predicts the next. The table carries it, and old registers are let go as soon as they can be.
  @Test func predictorCorrectorFits() throws {
    let table = try Tableau(
      solver: "pc", stepCount: 2, initialLevel: levels[0],
      rows: [
        row(0, 0, [(.state(0), 0.5), (.denoised(0), 0.5)], 1),
        row(1, 1, [(.state(0), 0.5), (.denoised(0), 0.2), (.denoised(1), 0.3)], 1, finishes: false),
        row(1, nil, [(.state(2), 0.1), (.denoised(0), -0.4), (.denoised(1), 1.3)], 2),
      ])
    #expect(table.evaluationCount == 2)
    #expect(table.releases == [[], [.state(0), .state(1)], [.denoised(0), .denoised(1), .state(2)]])
    #expect(table.peakRegisters == 5)
    #expect(table.description.contains("m1 = x1 at 1000"))
  }

  @Test func textIsAligned() throws {
    let table = try Tableau(
      solver: "demo", stepCount: 2, initialLevel: levels[0],
      rows: [
        row(0, 0, [(.state(0), 0.5), (.denoised(0), -0.25), (.noise(0), 0.1)], 1), row(1, 1, [(.denoised(1), 1)], 2),
      ])
    #expect(
      table.description == """
        demo: 2 steps, 2 evaluations, 1 noises, at most 4 registers
        step  evaluates                 makes
        0     m0 = x0 at 1000 (λ -inf)  x1 = 0.5 x0 - 0.25 m0 + 0.1 z0
        1     m1 = x1 at 500 (λ 0)      x2 = 1 m1
        """)
  }

  @Test func registersReadBack() {
    for register in [Register.state(0), .denoised(12), .noise(3)] { #expect(Register(register.description) == register) }
    for text in ["", "x", "y1", "x-1", "m1.5"] { #expect(Register(text) == nil) }
  }

  @Test func cutting() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: 6)
    let single = try AllSolvers.make("euler-ancestral").compile(schedule: schedule, grid: grid)
    let rest = try AllSolvers.make("euler-ancestral").compile(schedule: schedule, grid: grid.suffix(fromStep: 2))
    #expect(try single.suffix(fromStep: 2) == rest)
    let multi = try AllSolvers.make("dpm++-2m").compile(schedule: schedule, grid: grid)
    #expect { try multi.suffix(fromStep: 2) } throws: { "\($0)".contains("compile it on the rest of the grid") }
    #expect(try multi.prefix(steps: 2).stepCount == 2)
    #expect(throws: TableauError.self) { try multi.prefix(steps: 7) }
    #expect(throws: TableauError.self) { try multi.prefix(steps: 0) }
  }

  @Test func builderRefusesMisuse() throws {
    let grid = try Grid(levels: levels, spacing: "explicit")
    var twice = TableauBuilder(solver: "twice", grid: grid)
    _ = twice.evaluate(twice.initial, at: levels[0])
    let m = twice.evaluate(twice.initial, at: levels[0])
    twice.combine([(m, 1)], to: levels[2])
    #expect { try twice.build() } throws: { "\($0)".contains("evaluates twice") }
    var open = TableauBuilder(solver: "open", grid: grid)
    open.combine([(open.initial, 1)], to: levels[2])
    _ = open.evaluate(open.initial, at: levels[0])
    #expect(throws: TableauError.self) { try open.build() }
  }
}

@Suite struct SolverRegistryTests {
  @Test func namesAreSortedAndUnique() {
    let names = AllSolvers.all.map { $0.declaration.name }
    #expect(names == names.sorted())
    #expect(Set(names).count == names.count)
    #expect(AllSolvers.all.allSatisfy { $0.declaration.family == .solver && $0.declaration.points.contains(.step) })
  }

  @Test func foreignNames() throws {
    #expect(try AllSolvers.named("Euler a").solver == EulerAncestral.self)
    #expect(try AllSolvers.named("DPM++ 2M").solver == DPMSolverPP2M.self)
    let karras = try AllSolvers.named("dpm++ 2m karras")
    #expect(karras.alias?.spacing == "karras")
    let ddpm = try AllSolvers.make("DDPMScheduler").compile(
      schedule: DiscreteVPSchedule(), grid: AllGrids.make("trailing").grid(schedule: DiscreteVPSchedule(), steps: 4))
    #expect(ddpm.noiseCount == 3)
  }

  /// A foreign name means one thing: no two solvers share it, none is another solver's own name, and one that is its solver's own name
  /// implies nothing, since that name is found first.
  @Test func foreignNamesMeanOneThing() throws {
    func folded(_ name: String) -> String { String(name.lowercased().filter { $0.isLetter || $0.isNumber || $0 == "+" }) }
    let own = Set(AllSolvers.all.map { folded($0.declaration.name) })
    var meanings: [String: String] = [:]
    for solver in AllSolvers.all {
      for alias in solver.aliases {
        let meaning = "\(solver.declaration.name) \(alias.parameters) \(alias.spacing ?? "")"
        #expect(meanings.updateValue(meaning, forKey: folded(alias.name)) ?? meaning == meaning, "\(alias.name)")
        guard own.contains(folded(alias.name)) else { continue }
        #expect(folded(alias.name) == folded(solver.declaration.name), "\(alias.name)")
        // Spelled as ours it is ours; with other separators it is found as it is written.
        let isOurs = alias.name.lowercased() == solver.declaration.name
        #expect(!isOurs || (alias.parameters.isEmpty && alias.spacing == nil), "\(alias.name)")
        if !isOurs { #expect(try AllSolvers.named(alias.name).alias == alias) }
      }
    }
  }

  @Test func namesWithSpacings() throws {
    for (name, solver, spacing) in [
      ("Euler a Karras", "euler-ancestral", "karras"), ("dpmpp_2m_sgm_uniform", "dpm++-2m", "sgm_uniform"), ("heun beta", "heun", "beta"),
      ("sample_dpm_2_ancestral exponential", "dpm2-ancestral", "exponential"),
      ("DPM2 a Align Your Steps", "dpm2-ancestral", "align_your_steps"),
    ] {
      let match = try AllSolvers.named(name)
      #expect(match.solver.declaration.name == solver && match.alias?.spacing == spacing, "\(name)")
    }
    #expect(try AllSolvers.named("PLMS").alias?.parameters == ["start": "improved-euler"])
    // What only its spelling tells from ours keeps its meaning before a spacing.
    let spellings: [(String, [String: String])] = [
      ("uni_pc_karras", ["variant": "bh1", "order": "3"]), ("uni_pc karras", ["variant": "bh1", "order": "3"]),
      ("uni_pc_sgm_uniform", ["variant": "bh1", "order": "3"]), ("uni_pc_bh2_karras", ["variant": "bh2", "order": "3"]),
      ("unipc_karras", [:]), ("UniPC Karras", [:]),
    ]
    for (name, parameters) in spellings {
      let match = try AllSolvers.named(name)
      #expect(match.solver == UniPC.self && match.alias?.spacing == (name.hasSuffix("uniform") ? "sgm_uniform" : "karras"), "\(name)")
      #expect(match.alias?.parameters == parameters, "\(name)")
    }
  }

  /// What ComfyUI's names imply.
  @Test func namesOfComfyUI() throws {
    for name in ["dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde"] {
      let (plain, gpu) = (try AllSolvers.named(name), try AllSolvers.named(name + "_gpu"))
      #expect(plain.solver.declaration.name == gpu.solver.declaration.name && plain.alias?.parameters == gpu.alias?.parameters, "\(name)")
    }
    let variable = try AllSolvers.named("ipndm_v")
    #expect(variable.alias?.parameters == ["start": "none", "weights": "variable", "euler-at-final": "true"])
    _ = try variable.make()
    let beta = try AllGrids.match("BetaSamplingScheduler")
    #expect(beta.spacing.declaration.name == "beta" && beta.parameters([:]) == ["of": "time"])
  }

  /// Names under which other tools count evaluations: as many are made, in the blocks of k-diffusion (3, …, 3 and an end of lower orders).
  @Test(arguments: [(6, 3, [3, 2, 1]), (7, 3, [3, 3, 1]), (20, 7, [3, 3, 3, 3, 3, 3, 2]), (2, 1, [2]), (1, 1, [1])])
  func namesThatCountEvaluations(_ evaluations: Int, _ steps: Int, _ blocks: [Int]) throws {
    let schedule = try DiscreteVPSchedule()
    for name in ["DPM fast", "dpm_fast", "sample_dpm_fast", "DPM fast karras"] {
      let match = try AllSolvers.named(name)
      let counted = try #require(match.counted(evaluations, [:]))
      #expect(counted.steps == steps)
      let alias = try #require(match.alias)
      let grid = try AllGrids.make(#require(alias.spacing), alias.spacingParameters).grid(schedule: schedule, steps: counted.steps)
      let table = try match.make(counted.parameters).compile(schedule: schedule, grid: grid)
      let found = (0..<steps).map { step in table.rows.count { $0.step == step && $0.evaluation != nil } }
      #expect(found == blocks && table.evaluationCount == evaluations, "\(name)")
    }
    #expect(try AllSolvers.named("DPM fast").counted(6, ["evaluations": "5"]) == nil)
    #expect(try AllSolvers.named("DPM fast").counted(6, ["order": "2"])?.steps == 3)
    // sample_dpm_fast of k-diffusion: λ in even steps from −ln 14.61 to −ln 0.0292, the ends of the trained noise, and no step to clean data.
    let fast = try AllGrids.make("log-snr", ["final": "smallest"]).grid(schedule: schedule, steps: 7)
    for (index, found) in fast.coordinates().enumerated() {
      let expected = 14.614641229 * pow(0.029167158 / 14.614641229, Double(index) / 7)
      #expect(abs(found / expected - 1) < 1e-6, "\(fast.coordinates())")
    }
    #expect(try AllSolvers.named("dpm-singlestep").counted(6, [:]) == nil)
    // A mistyped number is left for the grid to refuse: nothing is made of it.
    let counting = try AllSolvers.named("DPM fast")
    for steps in [100_001, 4_000_000_000] { #expect(counting.counted(steps, [:]) == nil) }
    #expect(counting.counted(100_000, [:])?.steps == 33_334)
  }

  @Test func mistakesAreExplained() {
    #expect { try AllSolvers.named("hune") } throws: { "\($0)".contains("did you mean 'heun'") && "\($0)".contains("ddim") }
    #expect { try AllSolvers.make("ddim", ["etta": "1"]) } throws: { "\($0)".contains("etta") }
    #expect { try AllSolvers.make("ddim", ["eta": "2"]) } throws: { "\($0)".contains("0.0…1.0") }
  }
}
