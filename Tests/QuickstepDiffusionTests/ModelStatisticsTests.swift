import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// DPM-Solver-v3 and what it knows of a model.
@Suite struct ModelStatisticsTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// Smooth, different for each of `size` elements.
  private static func statistics(size: Int = 3, levels: Int = 6001) throws -> ModelStatistics {
    let lambdas = (0..<levels).map { -6 + 12.5 * Double($0) / Double(levels - 1) }
    func field(_ value: (Double, Double) -> Double) -> [Double] {
      lambdas.flatMap { lambda in (0..<size).map { value(lambda, Double($0 + 1)) } }
    }
    return try ModelStatistics(
      lambdas: lambdas, shape: [size], l: field { 0.8 + 0.15 * sin(0.5 * $0 + $1) }, s: field { 0.2 * cos(0.4 * $0 * $1) },
      b: field { 0.1 * sin($0 - $1) })
  }

  private func file(_ statistics: ModelStatistics) throws -> String {
    let path = folder.path + "/statistics.safetensors"
    try statistics.write(to: path, note: ["model": "test"])
    return path
  }

  /// The largest error at the end, on normal data of three elements.
  private func error(_ parameters: [String: String], steps: Int) throws -> Double {
    let schedule = try ContinuousVPSchedule.linear()
    let grid = try AllGrids.make("log-snr", ["final": "smallest"]).grid(schedule: schedule, steps: steps)
    let density = ToyGaussian(means: [0.2, 0.4, -1], deviations: [0.5, 1, 0.2])
    let table = try AllSolvers.make("dpm-v3", parameters).compile(schedule: schedule, grid: grid)
    let executor = try TableauExecutor(table, initial: Tensor([0.3, -1.2, 0.8] as [Double], shape: [1, 3]), noise: FixedNoise([]))
    while let (state, context) = try executor.nextEvaluation() {
      try executor.accept(denoised: Tensor(density.denoised(try state.scalars(), at: context.level), shape: [1, 3]))
    }
    let exact = density.transported([0.3, -1.2, 0.8], from: grid.levels[0], to: grid.levels[steps])
    return zip(try executor.result.scalars(Double.self), exact).map { abs($0 - $1) }.max() ?? 0
  }

  /// For normal data the statistics are known: l = σ²/(α²d² + σ²), and f = −l·μ changes the same way on every path. With them a single step is
  /// exact; with wrong ones it is not.
  @Test func exactStatisticsMakeOneStepExact() throws {
    let (means, deviations) = ([0.2, 0.4, -1], [0.5, 1, 0.2])
    let lambdas = (0...4000).map { -6 + 12.5 * Double($0) / 4000 }
    func l(_ lambda: Double, _ d: Double) -> Double { 1 / (1 + exp(2 * lambda) * d * d) }
    func statistics(_ sign: Double) throws -> String {
      try file(
        ModelStatistics(
          lambdas: lambdas, shape: [3], l: lambdas.flatMap { lambda in deviations.map { l(lambda, $0) } },
          s: Array(repeating: 0, count: 3 * lambdas.count),
          b: lambdas.flatMap { lambda in
            zip(means, deviations).map { mean, d in
              // df/dλ = −μ·dl/dλ = 2·μ·l·(1 − l).
              sign * 2 * mean * l(lambda, d) * (1 - l(lambda, d))
            }
          }))
    }
    let plain = try error(["corrector": "never"], steps: 1)
    let exact = try error(["corrector": "never", "statistics": statistics(1)], steps: 1)
    let wrong = try error(["corrector": "never", "statistics": statistics(-1)], steps: 1)
    #expect(exact < 1e-4 && plain > 0.1 && wrong > 0.1, "\(exact) \(plain) \(wrong)")
  }

  /// l = 1, s = b = 0 is DPM-Solver++ 2M in its Taylor form, coefficient by coefficient.
  @Test func plainBasisIsDPMSolverPP() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("karras", ["final": "smallest"]).grid(schedule: schedule, steps: 9)
    let ours = try AllSolvers.make("dpm-v3", ["corrector": "never", "lower-order-final": "false"]).compile(schedule: schedule, grid: grid)
    let theirs = try AllSolvers.make("dpm++-2m", ["variant": "taylor", "lower-order-final": "false"]).compile(
      schedule: schedule, grid: grid)
    for (row, other) in zip(ours.rows, theirs.rows) {
      let expected = Dictionary(uniqueKeysWithValues: other.terms.map { ($0.register, $0.coefficient.scalar) })
      #expect(Set(row.terms.filter { abs($0.coefficient.scalar) > 1e-13 }.map(\.register)) == Set(expected.keys))
      for term in row.terms {
        #expect(abs(term.coefficient.scalar - (expected[term.register] ?? 0)) < 1e-10, "\(row.step) \(term.register)")
      }
    }
  }

  /// Decisions in the basis of the statistics are this solver's, coefficient by coefficient, where they say the same.
  @Test func unifiedStepsInTheBasis() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("karras", ["final": "smallest"]).grid(schedule: schedule, steps: 7)
    let path = try file(Self.statistics(levels: 201))
    let decisions = #"""
      {"every":{"prediction":"statistics","order":2,"corrector":{"order":3,"derivatives":[{"points":[-1]},{"points":[-1,1]}]}}}
      """#
    let unified = try AllSolvers.make("usf", ["decisions": decisions, "statistics": path]).compile(schedule: schedule, grid: grid)
    let fitted = try AllSolvers.make("dpm-v3", ["statistics": path, "lower-order-final": "false"]).compile(schedule: schedule, grid: grid)
    #expect(unified.rows.count == fitted.rows.count && unified.rows.count == 13)
    for (row, other) in zip(unified.rows, fitted.rows) {
      #expect(Set(row.terms.map(\.register)) == Set(other.terms.map(\.register)) && row.finishesStep == other.finishesStep)
      let expected = Dictionary(uniqueKeysWithValues: other.terms.map { ($0.register, $0.coefficient) })
      for term in row.terms {
        let (found, wanted) = (try #require(term.coefficient.field).values, try #require(expected[term.register]?.field).values)
        #expect(zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-12 }, "\(row.step) \(term.register)")
      }
    }
    // On another solver they are corrected and anchored like any others.
    let base = #"usf:statistics=\#(path);decisions={"every":{"prediction":"statistics","order":2}}"#
    for name in ["unic", "dualfast"] {
      let table = try AllSolvers.make(name, ["base": base]).compile(schedule: schedule, grid: grid)
      #expect(table.rows.contains { $0.terms.contains { $0.register == .one } }, "\(name)")
    }
    #expect(
      try AllSolvers.make("usf", ["decisions": decisions, "statistics": path]).concerns(
        fingerprint: "a", guidanceScale: 1, accelerations: []) == [])
  }

  /// Statistics that nobody gave or that nobody asks for are told of.
  @Test func unifiedStepsWithoutStatistics() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("karras").grid(schedule: schedule, steps: 3)
    let asking = ["decisions": #"{"every":{"prediction":"statistics"}}"#]
    #expect { try AllSolvers.make("usf", asking).compile(schedule: schedule, grid: grid) } throws: {
      "\($0)".contains("step 0 of solver 'usf'") && "\($0)".contains("calibrate statistics")
    }
    let path = try file(Self.statistics(levels: 3))
    #expect { try AllSolvers.make("usf", ["statistics": path]) } throws: { "\($0)".contains("'statistics' has no effect") }
    #expect { try AllSolvers.make("usf", ["quadrature": "trapezoid"]) } throws: { "\($0)".contains("'quadrature' has no effect") }
    #expect { try AllSolvers.make("usf", asking.merging(["statistics": folder.path + "/none"]) { $1 }) } throws: {
      "\($0)".contains("none")
    }
  }

  /// A table with fields survives its file.
  @Test func fieldsAreCoded() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("karras", ["final": "smallest"]).grid(schedule: schedule, steps: 4)
    let table = try AllSolvers.make("dpm-v3", ["statistics": file(Self.statistics())]).compile(schedule: schedule, grid: grid)
    #expect(table.rows.contains { $0.terms.contains { $0.register == .one && $0.coefficient.field != nil } })
    #expect(try JSONDecoder().decode(Tableau.self, from: JSONEncoder().encode(table)) == table)
    #expect(table.description.contains("~"))
  }

  /// The first half of a run ends amid its times, whatever their zero is: those of EDM are ln(σ)/4.
  @Test(arguments: [("never", 0), ("first-half", 3), ("always", 4)]) func firstHalfOnEDM(_ corrector: String, _ corrections: Int) throws {
    let schedule = try EDMSchedule()
    let grid = try Grid(sigmas: [1, 0.5, 0.2, 0.05, 0.01, 0.002], on: schedule)
    let table = try AllSolvers.make("dpm-v3", ["corrector": corrector]).compile(schedule: schedule, grid: grid)
    #expect(table.rows.count { !$0.finishesStep } == corrections)
  }

  /// Statistics that say what they were taken from are asked about it.
  @Test func anotherModelIsTold() throws {
    func concerns(_ fingerprint: String?) throws -> [String] {
      let statistics = try ModelStatistics(
        lambdas: [-5, 5], shape: [1], l: [1, 1], s: [0, 0], b: [0, 0], fingerprint: fingerprint)
      return try AllSolvers.make("dpm-v3", ["statistics": file(statistics)])
        .concerns(fingerprint: "aaaa", guidanceScale: 2, accelerations: [])
    }
    #expect(try concerns("aaaa") == [])
    #expect(try concerns(nil) == [])
    let told = try concerns("bbbb")
    #expect(told.count == 1 && told.allSatisfy { $0.contains("another model") && $0.contains("bbbb") }, "\(told)")
    #expect(try AllSolvers.make("dpm-v3").concerns(fingerprint: "aaaa", guidanceScale: nil, accelerations: []) == [])
    // The same on top of a solver that has them.
    let own = try ModelStatistics(lambdas: [-5, 5], shape: [1], l: [1, 1], s: [0, 0], b: [0, 0], fingerprint: "bbbb")
    let base = #"usf:statistics=\#(try file(own));decisions={"every":{"prediction":"statistics"}}"#
    for name in ["unic", "dualfast"] {
      let solver = try AllSolvers.make(name, ["base": base])
      #expect(solver.concerns(fingerprint: "aaaa", guidanceScale: nil, accelerations: []).count == 1, "\(name)")
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    #expect(throws: ScheduleError.self) { try ModelStatistics(lambdas: [0], shape: [1], l: [1], s: [0], b: [0]) }
    #expect(throws: ScheduleError.self) { try ModelStatistics(lambdas: [0, 0], shape: [1], l: [1, 1], s: [0, 0], b: [0, 0]) }
    #expect(throws: ScheduleError.self) { try ModelStatistics(lambdas: [0, 1], shape: [2], l: [1, 1], s: [0, 0], b: [0, 0]) }
    #expect(throws: ScheduleError.self) { try ModelStatistics(lambdas: [0, 1], shape: [1], l: [1, .nan], s: [0, 0], b: [0, 0]) }
    #expect(throws: (any Error).self) { try AllSolvers.make("dpm-v3", ["statistics": folder.path + "/none"]) }
    // Statistics of three elements on a state of four.
    let vp = try DiscreteVPSchedule()
    let karras = try AllGrids.make("karras", ["final": "smallest"]).grid(schedule: vp, steps: 4)
    let table = try AllSolvers.make("dpm-v3", ["statistics": file(Self.statistics())]).compile(schedule: vp, grid: karras)
    let executor = try TableauExecutor(table, initial: .zeros([1, 4], dtype: .float64), noise: FixedNoise([]))
    let call = try #require(try executor.nextEvaluation())
    #expect(throws: SamplingError.self) { try executor.accept(denoised: call.state) }
  }
}
