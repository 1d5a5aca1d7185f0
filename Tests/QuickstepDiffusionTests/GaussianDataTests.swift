import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import Testing

/// The closed forms behind teleportation.
@Suite struct GaussianDataTests {
  private static let size = 16

  /// A mean, three directions of their own variance, and a rest.
  private static func data(rest: Double = 0.02) throws -> GaussianData {
    let generator = try Generator(seed: 1)
    let directions = try withTensorErrors {
      Tensor.qr(Tensor.randn([size, 3], generator: generator, dtype: .float64)).0.transposed.contiguous()
    }
    let mean = Tensor.randn([size], generator: generator) * 0.5
    return try GaussianData(mean: mean, basis: directions, variances: [2.5, 0.7, 0.1], rest: rest)
  }

  private static func states(_ count: Int, seed: UInt64 = 2) throws -> Tensor {
    Tensor.randn([count, 1, 4, 4], generator: try Generator(seed: seed))
  }

  /// The jump equals the probability-flow ODE solved in many small steps with the closed-form denoiser.
  @Test(arguments: [0, 1, 2]) func jumpSolvesTheODE(kind: Int) throws {
    let schedule: any NoiseSchedule = try [ContinuousVPSchedule.linear(), EDMSchedule(sigmaMax: 20), FlowSchedule()][kind]
    let data = try Self.data()
    let grid = try AllGrids.make("log-snr", ["final": "smallest"].merging(kind == 2 ? ["lambda-min": "-4"] : [:]) { $1 })
      .grid(schedule: schedule, steps: 4000)
    let (from, to) = (grid.levels[0], grid.levels[2500])
    let initial = try withTensorErrors { try Self.states(3) * from.sigma }
    let table = try AllSolvers.make("heun").compile(schedule: schedule, grid: Grid(levels: Array(grid.levels[...2500]), spacing: "test"))
    let executor = try TableauExecutor(table, initial: try withTensorErrors { initial.to(.float64) }, noise: FixedNoise([]))
    while let (state, context) = try executor.nextEvaluation() {
      try executor.accept(denoised: data.denoised(state, at: context.level))
    }
    let (end, jumped): ([Double], [Double]) = (
      try executor.result.scalars(), try withTensorErrors { try data.transported(initial, from: from, to: to).to(.float64) }.scalars()
    )
    for (ours, ode) in zip(jumped, end) { #expect(abs(ours - ode) < 1e-4 * max(1, abs(ode)), "\(ours) \(ode)") }
  }

  /// A jump and back is no jump, and two jumps are one.
  @Test func jumpsCompose() throws {
    let schedule = try DiscreteVPSchedule()
    let (a, b, c) = (try schedule.level(at: 990), try schedule.level(at: 600), try schedule.level(at: 100))
    let data = try Self.data()
    let state = try Self.states(2)
    let once: [Float] = try data.transported(state, from: a, to: c).scalars()
    let twice: [Float] = try data.transported(data.transported(state, from: a, to: b), from: b, to: c).scalars()
    let back: [Float] = try data.transported(data.transported(state, from: a, to: c), from: c, to: a).scalars()
    let original: [Float] = try state.scalars()
    #expect(zip(once, twice).allSatisfy { abs($0 - $1) < 1e-4 })
    #expect(zip(back, original).allSatisfy { abs($0 - $1) < 1e-3 })
  }

  /// Moments of many samples are found again, in fewer directions than samples as in more.
  @Test(arguments: [40, 4000]) func momentsAreFound(count: Int) throws {
    let truth = try Self.data()
    let clean = NoiseLevel(timestep: 0, alpha: 1, sigma: 0)
    let noise = NoiseLevel(timestep: 999, alpha: 1e-9, sigma: 1)
    let samples = try truth.transported(Self.states(count, seed: 7), from: noise, to: clean)
    let found = try GaussianData(samples: samples, rank: 3)
    #expect(found.variances.count == 3 && found.size == Self.size)
    let tolerance = count == 40 ? 0.8 : 0.08
    #expect(abs(found.variances[2] - 2.5) < 2.5 * tolerance, "\(found.variances)")
    #expect(abs(found.variances[1] - 0.7) < 0.7 * tolerance, "\(found.variances)")
    #expect(abs(found.rest - 0.02) < 0.02 * tolerance, "\(found.rest)")
    let (mean, wanted): ([Float], [Float]) = (try found.mean.scalars(), try truth.mean.scalars())
    #expect(zip(mean, wanted).allSatisfy { abs($0 - $1) < (count == 40 ? 0.8 : 0.1) })
  }

  /// A mixture of one part is that part; of two, its jump solves its ODE.
  @Test func mixtureJumps() throws {
    let part = try Self.data()
    let other = try GaussianData(
      mean: withTensorErrors { part.mean * -1 + 1 }, basis: part.basis, variances: [0.3, 0.2, 0.1], rest: 0.05)
    let schedule = try ContinuousVPSchedule.linear()
    let (from, to) = (try schedule.largest(), try schedule.level(at: 300))
    let state = try Self.states(4)
    let single = try GaussianMixtureData(parts: [part], shares: [3])
    let alone: [Float] = try part.transported(state, from: from, to: to).scalars()
    #expect(try single.transported(state, from: from, to: to).scalars() == alone)
    let mixture = try GaussianMixtureData(parts: [part, other], shares: [1, 2])
    let jumped: [Float] = try mixture.transported(state, from: from, to: to).scalars()
    let grid = try AllGrids.make("log-snr", ["final": "smallest"]).grid(schedule: schedule, steps: 3000)
    let index = try #require(grid.levels.firstIndex { $0.lambda >= to.lambda })
    let levels = Array(grid.levels[..<index]) + [to]
    let table = try AllSolvers.make("heun").compile(schedule: schedule, grid: Grid(levels: levels, spacing: "test"))
    let executor = try TableauExecutor(table, initial: state, noise: FixedNoise([]))
    while let (state, context) = try executor.nextEvaluation() { try executor.accept(denoised: mixture.denoised(state, at: context.level)) }
    let solved: [Float] = try executor.result.scalars()
    for (ours, ode) in zip(jumped, solved) { #expect(abs(ours - ode) < 5e-3, "\(ours) \(ode)") }
  }

  /// Two well separated clusters are told apart.
  @Test func clustersAreFound() throws {
    let generator = try Generator(seed: 9)
    let samples = try withTensorErrors {
      Tensor.cat([Tensor.randn([40, 16], generator: generator) * 0.2 + 2, Tensor.randn([20, 16], generator: generator) * 0.2 - 2])
    }
    let mixture = try GaussianMixtureData(samples: samples, count: 2, rank: 4, seed: 0)
    #expect(mixture.shares.sorted().map { ($0 * 3).rounded() } == [1, 2])
    let means = try mixture.parts.map { part in try withTensorErrors { part.mean.mean() }.item() }.sorted()
    #expect(abs(means[0] + 2) < 0.1 && abs(means[1] - 2) < 0.1, "\(means)")
  }

  @Test func refusesWhatDoesNotFit() throws {
    let data = try Self.data()
    let level = try DiscreteVPSchedule().level(at: 500)
    #expect(throws: SamplingError.self) { try data.denoised(.zeros([2, 15]), at: level) }
    #expect(throws: SamplingError.self) { try GaussianData(mean: .zeros([4]), basis: .zeros([2, 5]), variances: [1, 1], rest: 0) }
    #expect(throws: SamplingError.self) { try GaussianData(mean: .zeros([4]), basis: .zeros([1, 4]), variances: [-1], rest: 0) }
    #expect(throws: SamplingError.self) { try GaussianData(samples: .zeros([1, 4]), rank: 2) }
    #expect(throws: SamplingError.self) { try GaussianMixtureData(parts: [], shares: []) }
    #expect(throws: SamplingError.self) { try GaussianMixtureData(samples: .zeros([10, 4]), count: 2, rank: 1, seed: 0) }
  }
}
