import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Chains on a mixture of normals in the plane, whose score and whose posterior over noise levels are known exactly.
@Suite struct ChainTests {
  /// Two round clusters of unlike weight.
  private struct Plane {
    static let parts: [(weight: Double, mean: (Double, Double), deviation: Double)] = [(0.3, (-1.5, 0.5), 0.25), (0.7, (1.5, -0.5), 0.25)]

    /// How probable each cluster is given y, and log p(y | τ).
    static func clusters(_ y: (Double, Double), _ sigma: Double) -> (shares: [Double], log: Double) {
      let logs = parts.map { part -> Double in
        let variance = part.deviation * part.deviation + sigma * sigma
        let distance = (y.0 - part.mean.0) * (y.0 - part.mean.0) + (y.1 - part.mean.1) * (y.1 - part.mean.1)
        return log(part.weight) - distance / (2 * variance) - log(variance)
      }
      let top = logs.max() ?? 0
      let total = logs.reduce(0) { $0 + exp($1 - top) }
      return (logs.map { exp($0 - top) / total }, top + log(total))
    }

    static func denoised(_ y: (Double, Double), _ sigma: Double) -> [Double] {
      let shares = clusters(y, sigma).shares
      var sum = (0.0, 0.0)
      for (share, part) in zip(shares, parts) {
        let data = part.deviation * part.deviation
        let gain = data / (data + sigma * sigma)
        sum.0 += share * (part.mean.0 + gain * (y.0 - part.mean.0))
        sum.1 += share * (part.mean.1 + gain * (y.1 - part.mean.1))
      }
      return [sum.0, sum.1]
    }
  }

  private static let schedule = try? EDMSchedule(sigmaMin: 0.01, sigmaMax: 80)
  private static let grid = (0..<24).map { 3 * pow(0.4 / 3, Double($0) / 23) }

  private static func pairs(_ tensor: Tensor) throws -> [(Double, Double)] {
    let values = try tensor.scalars(Double.self)
    return stride(from: 0, to: values.count, by: 2).map { (values[$0], values[$0 + 1]) }
  }

  private static var denoiser: ClosureDenoiser {
    ClosureDenoiser { state, context in
      let levels = context.sampleLevels ?? Array(repeating: context.level, count: state.size(0))
      return Tensor(
        zip(try pairs(state), levels).flatMap { Plane.denoised(($0.0 / $1.alpha, $0.1 / $1.alpha), $1.sigma / $1.alpha) },
        shape: state.shape)
    }
  }

  private static func estimator(_ choice: NoiseLevelChoice) throws -> PosteriorEstimator {
    try PosteriorEstimator(sigmas: grid, choice: choice) { samples in
      Tensor(try pairs(samples).flatMap { y in grid.map { Plane.clusters(y, $0).log } }, shape: [samples.size(0), grid.count])
    }
  }

  private static func chains(
    from samples: Tensor, _ choice: NoiseLevelChoice, seed: UInt64, schedule: (any NoiseSchedule)? = nil
  ) throws -> DenoisingChains {
    let first = try #require(schedule ?? Self.schedule)
    return try DenoisingChains(
      from: samples, guesses: Array(repeating: 1, count: samples.size(0)), schedule: first, estimator: estimator(choice),
      noise: SeededNoise(seeds: (0..<UInt64(samples.size(0))).map { seed &+ $0 }), denoiser: denoiser)
  }

  /// Chains that all begin in the lighter cluster; the share of the heavier one among what their states are denoised to, and the mean of
  /// log σ, over the later half of the steps.
  private static func measured(_ choice: NoiseLevelChoice, count: Int = 160, steps: Int = 500) throws -> (
    share: Double, level: Double, deviation: Double
  ) {
    let start = Tensor((0..<count).flatMap { _ in [-1.5, 0.5] }, shape: [count, 2])
    var chains = try chains(from: start, choice, seed: 3)
    let step = try LangevinStep(length: 0.16)
    var (heavy, seen) = (0.0, 0.0)
    for index in 0..<steps {
      try chains.advance(step, denoiser, isRecorded: index >= steps / 2)
      guard index >= steps / 2 else { continue }
      // The exact posterior of the clusters, in place of a drawn sample: the same mean with less noise.
      for (y, sigma) in zip(try pairs(chains.state.samples), chains.state.sigmas) {
        heavy += Plane.clusters(y, sigma).shares[1]
        seen += 1
      }
    }
    let logs = chains.record.sigmas.joined().map { log($0) }
    let mean = logs.reduce(0, +) / Double(logs.count)
    let spread = (logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(logs.count)).squareRoot()
    return (heavy / seen, mean, spread)
  }

  /// Drawn levels sample the joint distribution: clusters by their weights, levels evenly over the grid. The most probable level alone does not:
  /// levels crowd at the ends.
  @Test func drawnLevelsSampleTheMixture() throws {
    let even = Self.grid.map { log($0) }
    let mean = even.reduce(0, +) / Double(even.count)
    let spread = (even.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(even.count)).squareRoot()
    let drawn = try Self.measured(.sampled)
    #expect(abs(drawn.share - 0.7) < 0.06, "\(drawn)")
    #expect(abs(drawn.level - mean) < 0.12 && abs(drawn.deviation - spread) < 0.1, "\(drawn), expected \(mean) ± \(spread)")
    let largest = try Self.measured(.largest)
    #expect(abs(largest.deviation - spread) > abs(drawn.deviation - spread), "\(largest)")
  }

  /// The same chains by themselves and beside others, and twice.
  @Test func chainsDoNotSeeEachOther() throws {
    let start = Tensor([-1.5, 0.5, 0.2, 0.1, 4, -3], shape: [3, 2])
    var together = try Self.chains(from: start, .sampled, seed: 11)
    var again = try Self.chains(from: start, .sampled, seed: 11)
    var alone = try Self.chains(from: start.narrow(0, start: 1, length: 1), .sampled, seed: 12)
    let step = try LangevinStep(length: 0.1)
    for _ in 0..<20 {
      try together.advance(step, Self.denoiser)
      try again.advance(step, Self.denoiser)
      try alone.advance(step, Self.denoiser)
    }
    #expect(try together.state.samples.elementBytes() == again.state.samples.elementBytes())
    #expect(try together.state.samples.narrow(0, start: 1, length: 1).elementBytes() == alone.state.samples.elementBytes())
    #expect(together.state.sigmas[1] == alone.state.sigmas[0] && together.evaluations == 20)
  }

  /// The frame does not matter: a model that scales its data down walks as one that does not.
  @Test func schedulesWalkAlike() throws {
    let start = Tensor([-1.5, 0.5, 0.2, 0.1], shape: [2, 2])
    var ends: [[Double]] = []
    for schedule: any NoiseSchedule in [try #require(Self.schedule), try ContinuousVPSchedule.linear(), try FlowSchedule()] {
      var chains = try Self.chains(from: start, .largest, seed: 2, schedule: schedule)
      for _ in 0..<10 { try chains.advance(LangevinStep(length: 0.2), Self.denoiser) }
      let (end, _) = try chains.denoised(
        chains.state, solver: AllSolvers.make("ddim"),
        grid: { sigma in
          try Grid(
            levels: [sigma, 0.5 * sigma, 0.1 * sigma].map { try schedule.level(lambda: -log($0)) } + [schedule.clean], spacing: "test")
        }, noise: FixedNoise([]), denoiser: Self.denoiser)
      ends.append(try end.scalars())
    }
    for other in ends.dropFirst() { for (left, right) in zip(ends[0], other) { #expect(abs(left - right) < 1e-9) } }
  }

  /// With a prediction that does not change, the exact rule keeps the variance of the noise and the paper's makes it grow by η²/4τ².
  @Test(arguments: LangevinStep.Rule.allCases) func lengthOfSteps(_ rule: LangevinStep.Rule) throws {
    for (length, sigma) in [(0.1, 1.0), (0.8, 0.7), (5, 1.5)] {
      let table = try LangevinStep(length: length, rule: rule)
        .tableau(at: NoiseLevel(timestep: 0, alpha: 0.5, sigma: 0.5 * sigma))
      let row = table.rows[1]
      let terms = Dictionary(uniqueKeysWithValues: row.terms.map { ($0.register, $0.coefficient.scalar) })
      let (kept, spread) = (try #require(terms[.state(0)]), try #require(terms[.noise(0)]))
      #expect(abs(kept + (terms[.denoised(0)] ?? 0) - 1) < 1e-12)
      let variance = kept * kept * sigma * sigma + spread * spread
      let growth = rule == .euler ? length * length / (4 * sigma * sigma) : 0
      #expect(abs(variance - sigma * sigma - growth) < 1e-12)
    }
    // Short steps agree.
    let level = NoiseLevel(timestep: 0, alpha: 1, sigma: 1)
    let (a, b) = (
      try LangevinStep(length: 1e-5, rule: .euler).tableau(at: level), try LangevinStep(length: 1e-5, rule: rule).tableau(at: level)
    )
    for (left, right) in zip(a.rows[1].terms, b.rows[1].terms) { #expect(abs(left.coefficient.scalar - right.coefficient.scalar) < 1e-7) }
  }

  /// On data along k of d dimensions the residual's fixed point is √(1 − k/d) of the noise, whatever the guess.
  @Test func residualFindsTheNoise() throws {
    let (d, k) = (400, 40)
    let generator = try Generator(seed: 4)
    let keep = Tensor((0..<d).map { $0 < k ? 1.0 : 0 }, shape: [1, d])
    let estimator = try ResidualEstimator(range: 0.02...100, iterations: 6)
    #expect(estimator.evaluations == 6 && estimator.draws == 0)
    for sigma in [0.05, 0.6, 7] {
      let drawn = Tensor.randn([3, d], generator: generator, dtype: .float64)
      let samples = try withTensorErrors { keep * Tensor.randn([3, d], generator: generator, dtype: .float64) * 3 + drawn * sigma }
      for guess in [0.5 * sigma, 3 * sigma] {
        let found = try estimator.estimate(samples, before: [guess, guess, guess], normals: .undefined) { samples, sigmas in
          let gains = Tensor(sigmas.map { 9 / (9 + $0 * $0) }, shape: [3, 1])
          return samples * keep * gains
        }
        for value in found { #expect(abs(value / (sigma * (1 - Double(k) / Double(d)).squareRoot()) - 1) < 0.12, "\(value) of \(sigma)") }
      }
    }
  }

  @Test func boundsHold() throws {
    var chains = try Self.chains(from: Tensor([-1.5, 0.5, 2, 2], shape: [2, 2]), .largest, seed: 2)
    chains.greatestChange = 1.05
    for _ in 0..<15 {
      let before = chains.state.sigmas
      try chains.advance(LangevinStep(length: 0.3), Self.denoiser)
      for (new, old) in zip(chains.state.sigmas, before) { #expect(new <= old * 1.05 * (1 + 1e-12) && new >= old / 1.05 * (1 - 1e-12)) }
    }
    #expect(chains.record.clamped > 0)
    for (length, allowed) in [(0.0, false), (-1, false), (.nan, false), (.infinity, false), (2, true)] {
      #expect((try? LangevinStep(length: length)) != nil || !allowed)
      if !allowed { #expect(throws: SamplingError.self) { try LangevinStep(length: length) } }
    }
    #expect(throws: SamplingError.self) { try PosteriorEstimator(sigmas: [1, 2], choice: .mean) { $0 } }
    #expect(throws: SamplingError.self) { try ResidualEstimator(range: 0...1) }
    #expect(throws: SamplingError.self) {
      try DenoisingChains(
        from: Tensor.zeros([2, 2], dtype: .float64), guesses: [1], schedule: EDMSchedule(), estimator: Self.estimator(.mean),
        noise: FixedNoise([]), denoiser: Self.denoiser)
    }
    let wrong = try PosteriorEstimator(sigmas: [2, 1], choice: .mean) { _ in Tensor.zeros([2, 3]) }
    #expect(throws: SamplingError.self) { try wrong.estimate(Tensor.zeros([2, 2]), before: [1, 1], normals: .undefined) { a, _ in a } }
  }

  /// An autoregression of known correlation, and its effective number of values.
  @Test func correlationIsMeasured() throws {
    let drawn = try Tensor.randn([4000], generator: try Generator(seed: 8), dtype: .float64).scalars(Double.self)
    let rho = 0.6
    var value = 0.0
    let series = drawn.map { z -> [Double] in
      value = rho * value + (1 - rho * rho).squareRoot() * z
      return [value, -2 * value]
    }
    let found = Autocorrelation(series: [Array(series[..<2000]), Array(series[2000...])], lags: 30)
    for lag in 1...3 { #expect(abs(found.values[lag] - pow(rho, Double(lag))) < 0.06, "\(found.values[lag])") }
    #expect(found.count == 4000 && abs(found.effectiveCount / 4000 - (1 - rho) / (1 + rho)) < 0.06, "\(found.effectiveCount)")
    let still = Autocorrelation(series: [[[1], [1], [1]]], lags: 2)
    #expect(still.values.isEmpty && still.effectiveCount == 1)
    // About the means of two groups nothing is left.
    let apart = Autocorrelation(series: [[[1], [1]], [[5], [5]]], groups: [0, 1], lags: 1)
    #expect(apart.values.isEmpty)
    #expect(Autocorrelation(series: [], lags: 3).count == 0)
    var record = ChainRecord()
    #expect(record.histogram().counts.isEmpty)
    record.join(ChainRecord())
    #expect(record.moves == 0)
  }
}
