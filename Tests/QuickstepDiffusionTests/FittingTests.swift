import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// OLSS: weights and paths from recorded runs.
@Suite struct FittingTests {
  /// Runs of DDIM on a mixture in six dimensions, whose paths are curved.
  private static func recorded(runs: Int, steps: Int) throws -> (products: PathProducts, states: [[Tensor]], grid: Grid) {
    let schedule = try DiscreteVPSchedule()
    return try recorded(runs: runs, on: schedule, AllGrids.make("trailing").grid(schedule: schedule, steps: steps))
  }

  private static func recorded(
    runs: Int, on schedule: any NoiseSchedule, _ grid: Grid
  ) throws -> (products: PathProducts, states: [[Tensor]], grid: Grid) {
    let table = try AllSolvers.make("ddim").compile(schedule: schedule, grid: grid)
    let density = ToyMixture()
    let generator = try Generator(seed: 3)
    var products = PathProducts(levels: grid.levels)
    var all: [[Tensor]] = []
    for _ in 0..<runs {
      let initial = Tensor.randn([1, 6], generator: generator, dtype: .float64)
      let executor = try TableauExecutor(table, initial: initial, noise: FixedNoise([]))
      var (states, denoised): ([Tensor], [Tensor]) = ([], [])
      while let (state, context) = try executor.nextEvaluation() {
        let prediction = Tensor(density.denoised(try state.scalars(), at: context.level), shape: [1, 6])
        states.append(state)
        denoised.append(prediction)
        try executor.accept(denoised: prediction)
      }
      states.append(try executor.result)
      try products.add(states: states, denoised: denoised)
      all.append(states)
    }
    return (products, all, grid)
  }

  /// The error of a plan's end on its own way, per element.
  private static func error(_ plan: OLSSPlan, _ runs: [[Tensor]], _ schedule: any NoiseSchedule) throws -> Double {
    let solver = try OLSS(plan)
    return try error(solver.compile(schedule: schedule, grid: solver.grid(on: schedule)), runs)
  }

  private static func error(_ table: Tableau, _ runs: [[Tensor]]) throws -> Double {
    var (sum, count) = (0.0, 0)
    for run in runs {
      let executor = try TableauExecutor(table, initial: run[0], noise: FixedNoise([]))
      while let (state, context) = try executor.nextEvaluation() {
        try executor.accept(denoised: Tensor(ToyMixture().denoised(try state.scalars(), at: context.level), shape: [1, 6]))
      }
      let (end, wanted): ([Double], [Double]) = (try executor.result.scalars(), try run[run.count - 1].scalars())
      sum += zip(end, wanted).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      count += end.count
    }
    return (sum / Double(count)).squareRoot()
  }

  /// With all steps kept the teacher itself is among what is fitted.
  @Test func allStepsGiveTheTeacher() throws {
    let (products, runs, _) = try Self.recorded(runs: 40, steps: 6)
    let plan = try OLSSPlan(products, steps: 6)
    #expect(plan.errors.allSatisfy { $0 < 1e-4 }, "\(plan.errors)")
    #expect(try Self.error(plan, runs, DiscreteVPSchedule()) < 1e-3)
  }

  /// Better than DDIM at as many evaluations, on runs it was not fitted to.
  @Test(arguments: [4, 6]) func beatsTheTeacherAtFewSteps(steps: Int) throws {
    let schedule = try DiscreteVPSchedule()
    let products = try Self.recorded(runs: 120, steps: 60).products
    let held = try Self.recorded(runs: 160, steps: 60).states.suffix(40)
    let plan = try OLSSPlan(products, steps: steps)
    #expect(plan.steps == steps && plan.levels.first == products.levels.first && plan.levels.last == products.levels.last)
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: steps)
    let table = try AllSolvers.make("ddim").compile(schedule: schedule, grid: grid)
    let (ours, ddim) = (try Self.error(plan, Array(held), schedule), try Self.error(table, Array(held)))
    #expect(ours < ddim, "olss \(ours), ddim \(ddim)")
  }

  /// The plan's path keeps the greatest error of a step as small as even spacing does, or smaller.
  @Test func pathIsNoWorseThanEvenSteps() throws {
    let (products, _, _) = try Self.recorded(runs: 60, steps: 40)
    let found = try OLSSPlan(products, steps: 5)
    let even = try OLSSPlan(products, path: [0, 8, 16, 24, 32])
    #expect(try #require(found.errors.max()) <= #require(even.errors.max()) * 1.2, "\(found.errors) \(even.errors)")
  }

  @Test func survivesItsFile() throws {
    let (products, _, grid) = try Self.recorded(runs: 8, steps: 10)
    let plan = try OLSSPlan(products, steps: 3)
    let path = NSTemporaryDirectory() + "olss-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try JSONEncoder().encode(plan).write(to: URL(fileURLWithPath: path))
    let solver = try AllSolvers.make("olss", ["plan": path])
    let schedule = try DiscreteVPSchedule()
    let fitted = try #require(solver as? any FittedSolver)
    // Some of those that the runs went by, with their timesteps.
    let levels = try fitted.grid(on: schedule).levels
    #expect(levels.count == 4 && levels.allSatisfy(grid.levels.contains) && levels.first == grid.levels.first)
    #expect(try solver.compile(schedule: schedule, grid: fitted.grid(on: schedule)).evaluationCount == 3)
    // Settings hold the plan itself, which needs the file no more.
    let resolved = try OLSS.resolved(["plan": path])
    let kept = try AllSolvers.make("olss", OLSS.resolved(resolved))
    try FileManager.default.removeItem(atPath: path)
    #expect(
      try kept.compile(schedule: schedule, grid: fitted.grid(on: schedule)).rows
        == solver.compile(schedule: schedule, grid: fitted.grid(on: schedule)).rows)
    #expect(throws: TableauError.self) { try solver.compile(schedule: schedule, grid: grid) }
    #expect(throws: TableauError.self) { try fitted.grid(on: FlowSchedule()) }
  }

  /// Networks may be told rounded timesteps, at which a schedule has other levels.
  @Test func levelsAreKnownByTheirNoise() throws {
    let (discrete, flow) = (try DiscreteVPSchedule(), try FlowSchedule(shift: 3, largestTime: 0.999, tellsWholeTimesteps: true))
    let cases: [(any NoiseSchedule, String, [String: String])] = [
      (flow, "trailing", [:]), (try FlowSchedule(), "linspace", [:]), (discrete, "karras", ["timestep": "round"]),
      (discrete, "exponential", ["timestep": "floor"]), (discrete, "karras", [:]), (try EDMSchedule(), "karras", [:]),
    ]
    for (schedule, name, parameters) in cases {
      let grid = try AllGrids.make(name, parameters).grid(schedule: schedule, steps: 9)
      let plan = try OLSSPlan(Self.recorded(runs: 8, on: schedule, grid).products, steps: 4)
      let solver = try OLSS(plan)
      let levels = try solver.grid(on: schedule).levels
      #expect(levels.allSatisfy(grid.levels.contains) && levels.last == grid.levels.last, "\(schedule.summary), \(name)")
      // A path that errs as little in fewer steps may be found.
      #expect((2...4).contains(plan.steps))
      #expect(
        try solver.compile(schedule: schedule, grid: solver.grid(on: schedule)).evaluationCount == plan.steps,
        "\(schedule.summary), \(name)")
    }
    // The same levels, told by other numbers, are another schedule's.
    let grid = try AllGrids.make("karras").grid(schedule: discrete, steps: 9)
    let solver = try OLSS(OLSSPlan(Self.recorded(runs: 8, on: discrete, grid).products, steps: 4))
    for other in [try DiscreteVPSchedule(.cosine), try EDMSchedule()] as [any NoiseSchedule] {
      #expect { try solver.grid(on: other) } throws: { "\($0)".contains("was fitted to another schedule") }
    }
  }

  @Test(arguments: ["", "{}", "[1, 2", #"{"version": 1, "levels": [], "initial": [1], "noises": [[1]], "errors": [0]}"#])
  func refusesDamagedPlans(text: String) throws {
    let path = NSTemporaryDirectory() + "olss-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: TableauError.self) { try AllSolvers.make("olss", ["plan": path]) }
    #expect(throws: TableauError.self) { try AllSolvers.make("olss", ["plan": path + ".none"]) }
  }

  @Test func needsAPlan() throws {
    let solver = try AllSolvers.make("olss")
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: 4)
    #expect(throws: TableauError.self) { try solver.compile(schedule: schedule, grid: grid) }
  }

  @Test func refusesImpossiblePaths() throws {
    let (products, _, _) = try Self.recorded(runs: 2, steps: 6)
    #expect(throws: SamplingError.self) { try OLSSPlan(products, steps: 0) }
    #expect(throws: SamplingError.self) { try OLSSPlan(products, steps: 7) }
    #expect(throws: SamplingError.self) { try OLSSPlan(products, path: [0, 3, 3]) }
    #expect(throws: SamplingError.self) { try OLSSPlan(products, path: [1, 3]) }
    #expect(throws: SamplingError.self) { try OLSSPlan(PathProducts(levels: products.levels), steps: 2) }
  }
}
