import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// DPM-Solver-v3, the unified framework with its statistics, OLSS and teleportation against the authors' programs, see Parity/fitted_authors.py.
@Suite struct FittedParityTests {
  struct Fixture: Decodable {
    struct V3: Decodable {
      struct Case: Decodable {
        var timesteps: [Double]
        var parameters: [String: String]
        var end: [Double]
      }
      var lambdas: [Double]
      var intervals: Int
      var cases: [Case]
    }
    struct Fitted: Decodable {
      struct Plan: Decodable {
        var steps: Int
        var timesteps: [Double]
        var initial: [Double]
        var ends: [[Double]]
      }
      var steps: Int
      var starts: [[Double]]
      var held: [[Double]]
      var plans: [Plan]
    }
    struct Teleportation: Decodable {
      struct Case: Decodable {
        var basis: [[Double]]
        var variances: [Double]
        /// By noise, then by state.
        var ends: [[[Double]]]
      }
      var mean: [Double]
      var states: [[Double]]
      var sigmas: [Double]
      var cases: [Case]
    }
    var teleportation: Teleportation
    var initial: [Double]
    var v3: V3
    var usf: V3
    var olss: Fitted

    static func read() throws -> Fixture {
      let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
      return try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: folder.appending(path: "fitted-authors.json")))
    }
  }

  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func end(_ table: Tableau, from start: [Double]) throws -> [Double] {
    let network = ClosedFormNetwork(prediction: "epsilon")
    let denoiser = GuidedDenoiser(parametrisation: .epsilon) { input, context in
      Tensor(network(try input.scalars(Double.self), timestep: context.level.timestep), shape: input.shape)
    }
    let executor = try TableauExecutor(table, initial: Tensor(start, shape: [1, start.count]), noise: FixedNoise([]))
    while let (state, context) = try executor.nextEvaluation() {
      try executor.accept(denoised: denoiser.denoised(state, context: context))
    }
    return try executor.result.scalars()
  }

  /// The statistics of the script, by the same formulas and in the same places.
  private func statistics(_ fixture: Fixture.V3) throws -> String {
    let (low, high) = (fixture.lambdas[0], fixture.lambdas[1])
    let lambdas = (0...fixture.intervals).map { low + (high - low) * Double($0) / Double(fixture.intervals) }
    func field(_ value: (Double, Double) -> Double) -> [Double] { lambdas.flatMap { lambda in (1...6).map { value(lambda, Double($0)) } } }
    let path = folder.path + "/statistics.safetensors"
    try ModelStatistics(
      lambdas: lambdas, shape: [6], l: field { 0.8 + 0.15 * sin(0.5 * $0 + $1) }, s: field { 0.2 * cos(0.4 * $0 * $1) },
      b: field { 0.1 * sin($0 - $1) }
    ).write(to: path, note: ["model": "test"])
    return path
  }

  /// Orders 1 to 3, both ways to estimate derivatives, with and without corrector, three spacings, 4 to 20 steps.
  @Test func statisticsSolver() throws {
    let fixture = try Fixture.read()
    let schedule = try ContinuousVPSchedule.linear()
    let path = try statistics(fixture.v3)
    #expect(fixture.v3.cases.count > 400)
    var worst = 0.0
    for golden in fixture.v3.cases {
      let levels = try golden.timesteps.map { try schedule.level(at: $0) }
      let grid = try Grid(levels: levels, spacing: "explicit")
      let solver = try AllSolvers.make("dpm-v3", golden.parameters.merging(["statistics": path]) { $1 })
      let found = try end(solver.compile(schedule: schedule, grid: grid), from: fixture.initial)
      let off = distance(found, golden.end)
      worst = max(worst, off)
      #expect(off < 1e-6, "\(golden.parameters), \(levels.count - 1) steps: \(off)")
    }
    print("dpm-v3 against the authors' program: at most \(worst)")
  }

  /// Steps that decide for themselves, most of them in the basis of the statistics; what the program keeps of ε̂ and x̂0 goes on beside it.
  @Test func unifiedStatistics() throws {
    let fixture = try Fixture.read()
    let schedule = try ContinuousVPSchedule.linear()
    let path = try statistics(fixture.usf)
    #expect(fixture.usf.cases.count > 20)
    for golden in fixture.usf.cases {
      let grid = try Grid(levels: golden.timesteps.map { try schedule.level(at: $0) }, spacing: "explicit")
      let solver = try AllSolvers.make("usf", golden.parameters.merging(["statistics": path]) { $1 })
      let off = distance(try end(solver.compile(schedule: schedule, grid: grid), from: fixture.initial), golden.end)
      #expect(off < 1e-6, "\(golden.parameters): \(off)")
    }
  }

  /// The program's jump in its own variables, and the same scaled to levels with less signal. Ours is computed in float32.
  @Test func teleportation() throws {
    let fixture = try Fixture.read().teleportation
    for golden in fixture.cases {
      let data = try GaussianData(
        mean: Tensor(fixture.mean, shape: [fixture.mean.count]),
        basis: Tensor(golden.basis.flatMap(\.self), shape: [golden.basis.count, fixture.mean.count]), variances: golden.variances, rest: 0)
      for (sigma, ends) in zip(fixture.sigmas, golden.ends) {
        for (alpha, other) in [(1.0, 1.0), (0.1, 0.7)] {
          let from = NoiseLevel(timestep: 0, alpha: alpha, sigma: alpha * fixture.sigmas[0])
          let to = NoiseLevel(timestep: 0, alpha: other, sigma: other * sigma)
          let state = Tensor(fixture.states.flatMap { $0.map { alpha * $0 } }, shape: [fixture.states.count, fixture.mean.count])
          let found = try data.transported(state, from: from, to: to).scalars(Double.self)
          let off = distance(found, ends.flatMap { $0.map { other * $0 } })
          #expect(off < 5e-6, "rank \(golden.variances.count), σ \(sigma), α \(other): \(off)")
        }
      }
    }
  }

  /// The program's path and, run from starts it was not fitted to, its states at the end.
  @Test func fittedPlans() throws {
    let fixture = try Fixture.read().olss
    let schedule = try DiscreteVPSchedule(.scaledLinear(0.00085, 0.012))
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: fixture.steps)
    let table = try AllSolvers.make("ddim").compile(schedule: schedule, grid: grid)
    let network = ClosedFormNetwork(prediction: "epsilon")
    var products = PathProducts(levels: grid.levels)
    for start in fixture.starts {
      let executor = try TableauExecutor(table, initial: Tensor(start, shape: [1, 6]), noise: FixedNoise([]))
      var (states, denoised): ([Tensor], [Tensor]) = ([], [])
      while let (state, context) = try executor.nextEvaluation() {
        let noise = Tensor(network(try state.scalars(Double.self), timestep: context.level.timestep), shape: [1, 6])
        let clean = try Parametrisation.epsilon.denoised(output: noise, state: state, at: context.level)
        states.append(state)
        denoised.append(clean)
        try executor.accept(denoised: clean)
      }
      states.append(try executor.result)
      try products.add(states: states, denoised: denoised)
    }
    // Both minimise the same squares, the program by orthogonalisation and we from inner products, which keep half of the digits: weights of
    // columns that are nearly alike differ more than what they add up to.
    for golden in fixture.plans where golden.steps <= 4 {
      let plan = try OLSSPlan(products, steps: golden.steps)
      #expect(plan.levels.dropLast().map(\.timestep) == golden.timesteps, "\(golden.steps) steps")
      #expect(distance(plan.initial, golden.initial) < 1e-3, "\(plan.initial) \(golden.initial)")
      let solver = try OLSS(plan)
      let compiled = try solver.compile(schedule: schedule, grid: solver.grid(on: schedule))
      for (start, wanted) in zip(fixture.held, golden.ends) {
        let off = distance(try end(compiled, from: start), wanted)
        #expect(off < 1e-5, "\(golden.steps) steps: \(off)")
      }
    }
    // Where errors come near to what inner products can tell from 0, the two searches part; the results are equally good to a hundredth.
    let long = try #require(fixture.plans.last)
    let solver = try OLSS(OLSSPlan(products, steps: long.steps))
    let compiled = try solver.compile(schedule: schedule, grid: solver.grid(on: schedule))
    for (start, wanted) in zip(fixture.held, long.ends) { #expect(distance(try end(compiled, from: start), wanted) < 0.03) }
  }
}
