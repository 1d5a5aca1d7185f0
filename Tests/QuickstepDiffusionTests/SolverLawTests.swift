import QuickstepDiffusion
import QuickstepNN
import QuickstepTesting
import Testing

/// Makes solver types usable as test arguments.
struct Registered: Sendable, CustomTestStringConvertible {
  let type: any Solver.Type
  var testDescription: String { type.declaration.name }
  /// Fitted solvers need a plan and have tests of their own.
  static let all = AllSolvers.all.filter { !($0 is any FittedSolver.Type) }.map { Registered(type: $0) }
  /// Those with a limit on finer grids.
  static let convergent = all.filter { $0.type.nature != .consistency }
}

/// Every registered solver obeys the laws; a new one is tested by being registered.
@Suite struct SolverLawTests {
  @Test(arguments: Registered.convergent) func orderOnVP(_ solver: Registered) throws {
    let schedule = try DiscreteVPSchedule()
    let spacing = try AllGrids.make("log-snr", ["final": "smallest"])
    try SolverLaws.checkOrder(solver.type, schedule: schedule, spacing: spacing, density: ToyGaussian(), state: [1.3, -0.4])
    try SolverLaws.checkOrder(solver.type, schedule: schedule, spacing: spacing, density: ToyMixture(), state: [0.6])
  }

  @Test(arguments: Registered.convergent) func orderOnContinuousVP(_ solver: Registered) throws {
    let spacing = try AllGrids.make("log-snr", ["final": "smallest"])
    try SolverLaws.checkOrder(
      solver.type, schedule: ContinuousVPSchedule.linear(), spacing: spacing, density: ToyGaussian(), state: [1.3, -0.4])
  }

  @Test(arguments: Registered.convergent) func orderOnEDM(_ solver: Registered) throws {
    let spacing = try AllGrids.make("karras", ["final": "smallest"])
    try SolverLaws.checkOrder(
      solver.type, schedule: EDMSchedule(sigmaMin: 0.02, sigmaMax: 20), spacing: spacing, density: ToyGaussian(), state: [9, -14])
  }

  @Test(arguments: Registered.convergent) func orderOnFlow(_ solver: Registered) throws {
    let spacing = try AllGrids.make("log-snr", ["final": "smallest", "lambda-min": "-3"])
    try SolverLaws.checkOrder(
      solver.type, schedule: FlowSchedule(trainedTimes: 50), spacing: spacing, density: ToyGaussian(), state: [1.1, -0.8])
  }

  @Test(arguments: Registered.convergent) func moments(_ solver: Registered) throws {
    let spacing = try AllGrids.make("log-snr", ["final": "smallest"])
    try SolverLaws.checkMoments(solver.type, schedule: DiscreteVPSchedule(), spacing: spacing)
    try SolverLaws.checkMoments(solver.type, schedule: EDMSchedule(sigmaMin: 0.02, sigmaMax: 20), spacing: spacing)
  }

  @Test(arguments: Registered.all, [1, 2, 3, 10, 25]) func tables(_ solver: Registered, _ steps: Int) throws {
    let name = solver.type.declaration.name
    let schedules: [any NoiseSchedule] = [
      try DiscreteVPSchedule(), try DiscreteVPSchedule(terminalSNR: .zero), try ContinuousVPSchedule.cosine(), try EDMSchedule(),
      try FlowSchedule(shift: 3),
    ]
    for schedule in schedules {
      for final in FinalLevel.allCases {
        let spacing = try AllGrids.make("linspace", ["final": final.rawValue])
        let grid = try spacing.grid(schedule: schedule, steps: steps)
        for solver in [try solver.type.init(ParameterValues(for: solver.type.declaration)), try SolverLaws.neutral(solver.type)] {
          // Heun's sigma frame has no pure noise, and consistency models' boundary conditions need timesteps from 0; they must say so.
          let isRefused =
            grid.levels[0].alpha == 0 && schedule.frame == .sigma && name == "heun" && (steps > 1 || final == .smallest)
            || schedule is EDMSchedule && (solver as? LCM)?.usesBoundaryConditions == true
          if isRefused {
            #expect(throws: TableauError.self) { try solver.compile(schedule: schedule, grid: grid) }
            continue
          }
          try SolverLaws.checkTableau(solver, name: name, schedule: schedule, grid: grid)
          if (solver as? LCM)?.usesBoundaryConditions == true { continue }
          try SolverLaws.checkConsistency(solver, name: name, schedule: schedule, grid: grid)
        }
      }
    }
  }

  @Test(arguments: Registered.all) func execution(_ solver: Registered) throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("karras").grid(schedule: schedule, steps: 8)
    let table = try solver.type.init(ParameterValues(for: solver.type.declaration)).compile(schedule: schedule, grid: grid)
    try ExecutorLaws.check(
      table, name: solver.type.declaration.name, density: ToyGaussian(means: [0.2, 0.4, -1], deviations: [0.5, 1, 0.2]),
      states: ([0.3, -1.2, 0.8], [1, 0, -2]))
  }

  @Test(arguments: Registered.all.filter { $0.type.nature == .flow }) func neutralDrawsNoNoise(_ solver: Registered) throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: 10)
    let table = try SolverLaws.neutral(solver.type).compile(schedule: schedule, grid: grid)
    #expect(table.noiseCount == 0)
  }

  /// DDIM without noise, ancestral Euler without noise and Euler are one table, bit for bit: in the sigma space of k-diffusion, on VP
  /// levels, and in the time of flow models.
  @Test func eulerInAllSpacesIsOneTable() throws {
    for schedule in [try DiscreteVPSchedule(), try EDMSchedule(), try FlowSchedule()] as [any NoiseSchedule] {
      let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 12)
      let euler = try AllSolvers.make("euler").compile(schedule: schedule, grid: grid)
      #expect(euler.rows == (try AllSolvers.make("ddim", ["eta": "0"]).compile(schedule: schedule, grid: grid).rows))
      #expect(euler.rows == (try AllSolvers.make("euler-ancestral", ["eta": "0"]).compile(schedule: schedule, grid: grid).rows))
      // k-diffusion: y' = y + (τ' − τ)·(y − m)/τ with y = x/α, τ = σ/α; x' = α'·y'. Compared where α is not 0.
      for (row, (from, to)) in zip(euler.rows, zip(grid.levels, grid.levels.dropFirst())) where from.alpha > 0 {
        let (tau, next) = (Frame.sigma.coordinate(from), Frame.sigma.coordinate(to))
        let ofState = to.alpha / from.alpha * (1 + (next - tau) / tau)
        let ofDenoised = -to.alpha * (next - tau) / tau
        let found = Dictionary(uniqueKeysWithValues: row.terms.map { ($0.register.description.first, $0.coefficient.scalar) })
        #expect(abs((found["x"] ?? 0) - ofState) < 1e-12)
        #expect(abs((found["m"] ?? 0) - ofDenoised) < 1e-12)
      }
    }
  }

  /// DDIM at η = 1 is the ancestral sampler of k-diffusion.
  @Test func ddpmIsAncestral() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: 12)
    let ddpm = try AllSolvers.make("ddim", ["eta": "1"]).compile(schedule: schedule, grid: grid)
    #expect(ddpm.rows == (try AllSolvers.make("euler-ancestral").compile(schedule: schedule, grid: grid).rows))
    #expect(ddpm.noiseCount == 11)
  }
}
