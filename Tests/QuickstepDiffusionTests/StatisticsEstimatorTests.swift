import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Estimated statistics against their definition, carried out by automatic differentiation (`Parity/statistics_formulas.py`).
@Suite struct StatisticsEstimatorTests {
  /// Runs on a mixture of normals, with what the definition makes of them.
  private struct Fixture {
    let lambdas: [Double]
    /// `[G, K, 3]`.
    let states: Tensor
    let l: [Double], s: [Double], b: [Double]
    private let weights: Tensor, means: Tensor, variances: Tensor

    init() throws {
      let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/statistics.safetensors").path
      let file = try SafetensorsFile(path: path)
      func values(_ name: String) throws -> [Double] { try file.tensor(name).scalars() }
      lambdas = try values("lambda")
      (l, s, b) = (try values("l"), try values("s"), try values("b"))
      states = try file.tensor("states")
      let mixture = try JSONValue(parsing: #require(file.metadata["mixture"]))
      func rows(_ key: String) throws -> [[Double]] {
        try #require(mixture[key]?.array).map { try #require($0.array).compactMap(\.double) }
      }
      weights = Tensor(try #require(mixture["weights"]?.array).compactMap(\.double))
      means = Tensor(try rows("means").flatMap { $0 }, shape: [3, 3])
      variances = Tensor(try rows("deviations").flatMap { $0 }, shape: [3, 3]).square()
    }

    static func level(_ lambda: Double) -> NoiseLevel {
      NoiseLevel(timestep: lambda, alpha: (1 / (1 + exp(-2 * lambda))).squareRoot(), sigma: (1 / (1 + exp(2 * lambda))).squareRoot())
    }

    /// E[x0 | x] of the mixture, `[K, 3]`; gradients pass through.
    func denoised(_ state: Tensor, _ level: NoiseLevel) -> Tensor {
      let (a, s2) = (level.alpha, level.sigma * level.sigma)
      let spread = variances * (a * a) + s2
      let distance = state.unsqueeze(1) - means * a
      let logits = weights.log() - ((distance.square() / spread + spread.log()).sum([-1]) * 0.5)
      let parts = (variances * a * state.unsqueeze(1) + means * s2) / spread
      return (logits.softmax(-1).unsqueeze(-1) * parts).sum([1])
    }

    var denoiser: ClosureDenoiser { ClosureDenoiser { state, context in denoised(state, context.level) } }

    /// Every `stride`-th level.
    func runs(_ stride: Int) throws -> StatisticsEstimator.Runs {
      let kept = Swift.stride(from: 0, to: lambdas.count, by: stride)
      let levels = kept.map { Self.level(lambdas[$0]) }
      return try withTensorErrors {
        let seen = kept.map { states.select(0, index: $0) }
        return StatisticsEstimator.Runs(levels: levels, states: seen, denoised: zip(seen, levels).map { denoised($0, $1) })
      }
    }

    /// Slopes from which l comes out as the definition has it.
    func slopes(_ runs: StatisticsEstimator.Runs, _ stride: Int) -> [Tensor] {
      runs.levels.enumerated().map { index, level in
        let own = l[(3 * index * stride)..<(3 * index * stride + 3)]
        return Tensor(own.map { (1 - $0) / level.alpha * Double(states.size(1)) })
      }
    }
  }

  private func gap(_ values: [Double], _ expected: [Double], stride: Int, inner: Bool) -> Double {
    let count = values.count / 3
    return (inner ? 1..<count - 1 : 0..<count).flatMap { level in
      (0..<3).map { abs(values[3 * level + $0] - expected[3 * level * stride + $0]) }
    }.max() ?? .infinity
  }

  @Test("l is the mean of the derivative's diagonal, up to the noise of random signs")
  func slopes() throws {
    let fixture = try Fixture()
    let runs = try fixture.runs(4)
    func gap(_ probes: Int) throws -> Double {
      var estimator = StatisticsEstimator()
      estimator.probes = probes
      let slopes = try estimator.slopes(of: fixture.denoiser, runs, generator: Generator(seed: 5))
      return try self.gap(estimator.statistics([runs], slopes: slopes).l, fixture.l, stride: 4, inner: false)
    }
    let (few, many) = (try gap(4), try gap(256))
    // The noise falls with the root of the number of signs: 64 times as many, an eighth.
    #expect(many < 0.02 && many < few / 3, "\(few) \(many)")
  }

  @Test("cancellation is honoured between two levels")
  func cancellation() async throws {
    let task = Task { () -> (error: String, evaluations: Int) in
      let fixture = try Fixture()
      let runs = try fixture.runs(4)
      var evaluations = 0
      let denoiser = ClosureDenoiser { state, context in
        evaluations += 1
        if evaluations == 2 { withUnsafeCurrentTask { $0?.cancel() } }
        return fixture.denoised(state, context.level)
      }
      do {
        _ = try StatisticsEstimator().slopes(of: denoiser, runs, generator: Generator(seed: 5))
        return ("", evaluations)
      } catch { return ("\(type(of: error))", evaluations) }
    }
    let outcome = try await task.value
    #expect(outcome.error == "CancellationError" && outcome.evaluations == 2)
  }

  @Test("s and b are those of the definition, up to differences in place of derivatives")
  func fits() throws {
    let fixture = try Fixture()
    var estimator = StatisticsEstimator()
    estimator.damping = 0
    var gaps: [(s: Double, b: Double)] = []
    for stride in [1, 2, 4] {
      let runs = try fixture.runs(stride)
      let found = try estimator.statistics([runs], slopes: fixture.slopes(runs, stride))
      gaps.append((gap(found.s, fixture.s, stride: stride, inner: true), gap(found.b, fixture.b, stride: stride, inner: true)))
      #expect(gap(found.l, fixture.l, stride: stride, inner: false) < 1e-12)
    }
    // s is within ±2, b within ±0.15; a quarter to a third of the error at half the distance.
    #expect(gaps[0].s < 0.035 && gaps[0].b < 0.005, "\(gaps)")
    #expect(gaps[0].s < 0.35 * gaps[1].s && gaps[1].s < 0.4 * gaps[2].s && gaps[0].b < 0.35 * gaps[1].b, "\(gaps)")
  }

  @Test("batches count as one, and damping draws s to 0")
  func batchesAndDamping() throws {
    let fixture = try Fixture()
    let whole = try fixture.runs(4)
    func part(_ start: Int, _ length: Int) throws -> StatisticsEstimator.Runs {
      try withTensorErrors {
        .init(
          levels: whole.levels, states: whole.states.map { $0.narrow(0, start: start, length: length) },
          denoised: whole.denoised.map { $0.narrow(0, start: start, length: length) })
      }
    }
    var estimator = StatisticsEstimator()
    let slopes = fixture.slopes(whole, 4)
    let (one, two) = (
      try estimator.statistics([whole], slopes: slopes), try estimator.statistics([part(0, 13), part(13, 35)], slopes: slopes)
    )
    #expect(zip(one.s, two.s).allSatisfy { abs($0 - $1) < 1e-12 } && zip(one.b, two.b).allSatisfy { abs($0 - $1) < 1e-12 })
    estimator.damping = 1e6
    #expect(try estimator.statistics([whole], slopes: slopes).s.allSatisfy { abs($0) < 1e-3 })
    #expect(throws: ScheduleError.self) { try estimator.statistics([whole], slopes: Array(slopes.dropLast())) }
    #expect(throws: ScheduleError.self) { try estimator.statistics([], slopes: []) }
  }

  /// The mean error at the end over the fixture's runs, from its first level to its last.
  private func error(_ solver: any Solver, _ fixture: Fixture, steps: Int) throws -> Double {
    let (first, last) = (fixture.lambdas[0], fixture.lambdas[fixture.lambdas.count - 1])
    let levels = (0...steps).map { Fixture.level(first + (last - first) * Double($0) / Double(steps)) }
    let grid = try Grid(levels: levels, spacing: "uniform")
    let table = try solver.compile(schedule: ContinuousVPSchedule.linear(), grid: grid)
    let start = try withTensorErrors { fixture.states.select(0, index: 0).contiguous() }
    let executor = try TableauExecutor(table, initial: start, noise: FixedNoise([]))
    while let (state, context) = try executor.nextEvaluation() { try executor.accept(denoised: fixture.denoised(state, context.level)) }
    let end = try withTensorErrors { fixture.states.select(0, index: fixture.lambdas.count - 1) }
    let result = try executor.result
    return try withTensorErrors { (result - end).square().mean().sqrt() }.item()
  }

  @Test("statistics of a model pay on it: the card's check against UniPC and against none")
  func effect() throws {
    let fixture = try Fixture()
    let runs = try fixture.runs(1)
    var estimator = StatisticsEstimator()
    estimator.probes = 64
    let statistics = try estimator.statistics(
      [runs], slopes: estimator.slopes(of: fixture.denoiser, runs, generator: Generator(seed: 6)))
    let folder = try TemporaryFolder()
    try statistics.write(to: folder.path + "/s.safetensors", note: [:])
    for steps in [5, 6, 8, 10] {
      let plain = try error(AllSolvers.make("dpm-v3", ["order": "3"]), fixture, steps: steps)
      let informed = try error(
        AllSolvers.make("dpm-v3", ["order": "3", "statistics": folder.path + "/s.safetensors"]), fixture, steps: steps)
      let rival = try error(AllSolvers.make("unipc", ["order": "3"]), fixture, steps: steps)
      #expect(informed < 0.75 * plain && informed < rival, "\(steps) evaluations: \(plain) without, \(informed) with, UniPC \(rival)")
    }
  }
}
