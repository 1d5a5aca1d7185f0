import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Chains and the denoising of their states against the authors' program, see Parity/chains.py.
@Suite struct ChainParityTests {
  struct Golden: Decodable {
    struct Step: Decodable {
      var state: [Double]
      var sigmas: [Double]
    }
    struct Run: Decodable {
      var end: [Double]
      var evaluations: Int
      var noises: [[Double]]
    }
    struct Output: Decodable {
      var steps: [Step]
      var noises: [[Double]]
      var quiet: [Double]
      var least: [Double]
      var karrasAlg1: Run
      var karrasAlg2: Run
    }
    var chains: Int
    var nodes: Int
    var eta: Double
    var skip: Int
    var tweedie: Double
    var sigmaMax: Double
    var shape: [Int]
    var parts: [[Double]]
    var initial: [Double]
    var initialSigmas: [Double]
    var outputs: [Output]
  }

  private static func golden() throws -> Golden {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/chains.json")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Golden.self, from: Data(contentsOf: path))
  }

  /// The script's predictor: the level whose logarithm is nearest to that of the power above 0.25.
  private static func estimator(_ golden: Golden) throws -> PosteriorEstimator {
    let sigmas = (0..<1000).map { 0.01 * pow(golden.sigmaMax / 0.01, 1 + Double($0) * (1e-3 - 1) / 999) }
    return try PosteriorEstimator(sigmas: sigmas, choice: .largest) { samples in
      let level = (samples.square().mean([1, 2, 3]) - 0.25).clamp(min: 0.01).sqrt().log().unsqueeze(1)
      return (Tensor(sigmas.map { log($0) }) - level).square() * -1
    }
  }

  /// Every state, every level, the quiet states, and both of their integrators from these, to 1e-6 (their program rounds its least level to
  /// float32).
  @Test func stepsAndIntegratorsAreTheirs() throws {
    let golden = try Self.golden()
    let data = ToyMixture(golden.parts.map { ($0[0], $0[1], $0[2]) })
    let denoiser = ClosureDenoiser { state, context in
      let levels = context.sampleLevels ?? Array(repeating: context.level, count: state.size(0))
      let values = try state.scalars(Double.self)
      let size = values.count / levels.count
      return Tensor(
        levels.enumerated().flatMap { data.denoised(Array(values[$0 * size..<($0 + 1) * size]), at: $1) }, shape: state.shape)
    }
    let schedule = try EDMSchedule(sigmaMin: 0.01, sigmaMax: golden.sigmaMax)
    func noise(_ values: [[Double]]) -> FixedNoise { FixedNoise(values.map { Tensor($0, shape: golden.shape) }) }
    var chains = try DenoisingChains(
      from: Tensor(golden.initial, shape: golden.shape), guesses: Array(repeating: 1, count: golden.chains), schedule: schedule,
      estimator: Self.estimator(golden), noise: noise(golden.outputs.flatMap(\.noises)), denoiser: denoiser)
    #expect(distance(chains.state.sigmas, golden.initialSigmas) < 1e-12)
    let step = try LangevinStep(length: golden.eta)
    for output in golden.outputs {
      let quiet = try chains.quietest(after: golden.skip, step, denoiser)
      #expect(distance(chains.state.sigmas, output.steps[golden.skip - 1].sigmas) < 1e-12)
      #expect(distance(try chains.state.samples.scalars(), output.steps[golden.skip - 1].state) < 1e-10)
      #expect(distance(quiet.sigmas, output.least) < 1e-12)
      #expect(distance(try quiet.samples.scalars(), output.quiet) < 1e-10)
      func grid(_ sigma: Double) throws -> Grid {
        try AllGrids.make("karras", ["sigma-min": "0.01", "sigma-max": "\(sigma)"]).grid(schedule: schedule, steps: golden.nodes - 1)
      }
      let churned = ["s-churn": "80", "s-tmin": "0.05", "s-tmax": "1", "s-noise": "1.007"]
      for (run, parameters) in [(output.karrasAlg1, [:]), (output.karrasAlg2, churned)] {
        // Their program draws in every step, ours where somebody's noise is raised.
        let grids = try quiet.sigmas.map(grid)
        let drawn = run.noises.enumerated().filter { index, _ in grids.contains { (0.05...1).contains($0.levels[index].sigma) } }.map(
          \.element)
        let (end, calls) = try chains.denoised(
          quiet, solver: AllSolvers.make("heun", parameters), grid: grid, noise: noise(drawn), denoiser: denoiser)
        #expect(calls == run.evaluations)
        let level = NoiseLevel(timestep: 0, alpha: 1, sigma: golden.tweedie)
        let last = try denoiser.denoised(
          end, context: StepContext(step: 0, stepCount: 1, evaluation: 0, evaluationCount: 1, level: level))
        #expect(distance(try last.scalars(), run.end) < 1e-6, "\(parameters)")
      }
    }
    #expect(chains.record.moves == golden.chains * golden.skip * golden.outputs.count)
    let (raised, lowered) = (chains.record.raised, chains.record.lowered)
    let series = (0..<golden.chains).map { chain in golden.outputs.flatMap { $0.steps.map { $0.sigmas[chain] } } }
    let paths = zip(golden.initialSigmas, series).map { [$0] + $1 }
    #expect(raised == paths.reduce(0) { $0 + zip($1, $1.dropFirst()).count { $0 < $1 } })
    #expect(lowered == paths.reduce(0) { $0 + zip($1, $1.dropFirst()).count { $0 > $1 } })
  }

  private func distance(_ left: [Double], _ right: [Double]) -> Double {
    guard left.count == right.count else { return .infinity }
    return zip(left, right).map { abs($0 - $1) }.max() ?? 0
  }
}
