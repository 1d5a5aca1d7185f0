import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Tables whose levels and coefficients differ from sample to sample.
@Suite struct SampleTableTests {
  static let schedule = try? DiscreteVPSchedule(.cosine)
  private static let sigmas = [0.3, 4, 1.1, 37]

  private static func grid(_ sigma: Double, schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try AllGrids.make("karras", ["sigma-max": "\(sigma)"]).grid(schedule: schedule, steps: steps)
  }

  static let names = AllSolvers.all.filter { !($0 is any AdaptiveSolver.Type) && $0.declaration.name != "olss" }.map { $0.declaration.name }

  /// A network that predicts noise, told its timestep sample by sample.
  private static func denoiser() -> GuidedDenoiser {
    GuidedDenoiser(parametrisation: .epsilon) { input, context in
      let levels = context.sampleLevels ?? Array(repeating: context.level, count: input.size(0))
      let told = Tensor(levels.map(\.timestep), shape: [levels.count, 1]) / 1000
      return (input * (0.6 + told)).tanh()
    }
  }

  private static func run(_ table: Tableau, _ initial: Tensor, _ noise: any NoiseSource) throws -> [Double] {
    let executor = try TableauExecutor(table, initial: initial, noise: noise, checksFinite: true)
    let denoiser = denoiser()
    while let (state, context) = try executor.nextEvaluation() {
      try executor.accept(denoised: denoiser.denoised(state, context: context))
    }
    return try executor.result.scalars()
  }

  /// Any solver gives every sample what it gives it alone, from its own level by its own table.
  @Test(arguments: names) func everySampleIsAsAlone(_ name: String) throws {
    let schedule = try #require(Self.schedule)
    let solver = try AllSolvers.make(name)
    let tables = try Self.sigmas.map { try solver.compile(schedule: schedule, grid: Self.grid($0, schedule: schedule, steps: 5)) }
    let joined = try Tableau(samples: tables)
    #expect(joined.evaluationCount == tables[0].evaluationCount)
    let initial = Tensor.randn([4, 3], generator: try Generator(seed: 5), dtype: .float64)
    let noises = (0..<joined.noiseCount).map { Tensor.randn([4, 3], generator: try? Generator(seed: UInt64($0 + 9)), dtype: .float64) }
    let together = try Self.run(joined, initial, FixedNoise(noises))
    for (index, table) in tables.enumerated() {
      let own = noises.map { $0.narrow(0, start: index, length: 1) }
      let alone = try Self.run(table, initial.narrow(0, start: index, length: 1), FixedNoise(own))
      for (left, right) in zip(together[index * 3..<index * 3 + 3], alone) {
        #expect(abs(left - right) <= 1e-12 * max(1, abs(right)), "\(name), sample \(index)")
      }
    }
  }

  /// Where noise is added to some samples only, the others are as without.
  @Test func rowsThatNotAllSamplesHave() throws {
    let schedule = try #require(Self.schedule)
    let solver = try AllSolvers.make("heun", ["s-churn": "20", "s-tmin": "0.5", "s-tmax": "3"])
    let tables = try Self.sigmas.map { try solver.compile(schedule: schedule, grid: Self.grid($0, schedule: schedule, steps: 4)) }
    #expect(Set(tables.map(\.noiseCount)).count > 1)
    let joined = try Tableau(samples: tables)
    let initial = Tensor.randn([4, 2], generator: try Generator(seed: 5), dtype: .float64)
    let noises = (0..<joined.noiseCount).map { Tensor.randn([4, 2], generator: try? Generator(seed: UInt64($0 + 9)), dtype: .float64) }
    let together = try Self.run(joined, initial, FixedNoise(noises))
    for (index, table) in tables.enumerated() where table.noiseCount == 0 {
      let alone = try Self.run(table, initial.narrow(0, start: index, length: 1), FixedNoise([]))
      for (left, right) in zip(together[index * 2..<index * 2 + 2], alone) { #expect(abs(left - right) <= 1e-12) }
    }
  }

  @Test func equalTablesStayPlain() throws {
    let schedule = try #require(Self.schedule)
    let table = try AllSolvers.make("unipc").compile(schedule: schedule, grid: Self.grid(5, schedule: schedule, steps: 4))
    #expect(try Tableau(samples: [table, table, table]) == table)
    let other = try AllSolvers.make("unipc").compile(schedule: schedule, grid: Self.grid(6, schedule: schedule, steps: 4))
    let joined = try Tableau(samples: [table, other])
    #expect(joined.rows.allSatisfy { $0.evaluation?.sampleLevels?.count ?? 2 == 2 })
    #expect(try JSONDecoder().decode(Tableau.self, from: JSONEncoder().encode(joined)) == joined)
    #expect(joined.description.contains("~"))
  }

  @Test func whatCannotBeJoinedIsRefused() throws {
    let schedule = try #require(Self.schedule)
    func table(_ name: String, steps: Int) throws -> Tableau {
      try AllSolvers.make(name).compile(schedule: schedule, grid: Self.grid(5, schedule: schedule, steps: steps))
    }
    #expect(throws: TableauError.self) { try Tableau(samples: []) }
    #expect(throws: TableauError.self) { try Tableau(samples: [table("ddim", steps: 3), table("ddim", steps: 4)]) }
    #expect(throws: TableauError.self) { try Tableau(samples: [table("ddim", steps: 3), table("heun", steps: 3)]) }
    let joined = try Tableau(samples: [
      table("ddim", steps: 3), AllSolvers.make("ddim").compile(schedule: schedule, grid: Self.grid(2, schedule: schedule, steps: 3)),
    ])
    let error = #expect(throws: SamplingError.self) { try Self.run(joined, Tensor.zeros([3, 2], dtype: .float64), FixedNoise([])) }
    #expect("\(try #require(error))".contains("2 samples"))
    #expect(throws: SamplingError.self) {
      try DenoisingChains.tableau(from: [1], solver: AllSolvers.make("dpm-adaptive"), schedule: schedule) {
        try Self.grid($0, schedule: schedule, steps: 3)
      }
    }
  }
}
