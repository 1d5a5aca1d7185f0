import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Orders of convergence that need more than an even grid and a neutral solver: each is measured within 0.15 of theory, from both sides.
@Suite struct OrderTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// −log(error) against log(count), by least squares.
  private static func slope(_ counts: [Int], _ error: (Int) throws -> Double) throws -> Double {
    SolverLaws.slope(try counts.map { (log(Double($0)), -log(try error($0))) })
  }

  /// Even steps from one coordinate to another, the first of them cut: interval j has length share·h^(order/(j+2)), so that the low order
  /// there, j + 1, leaves no more than h^order. A share of 0 cuts nothing.
  private static func graded(_ start: Double, _ end: Double, count: Int, order: Int, share: Double) -> [Double] {
    let length = abs(end - start)
    let h = length / Double(count)
    var way = [0.0]
    if share > 0 { for j in 0..<order - 1 { way.append(way[way.count - 1] + share * pow(h, Double(order) / Double(j + 2))) } }
    let last = way[way.count - 1]
    way += (1...count).map { $0 == count ? length : Double($0) * h }.filter { $0 > last + h / 1000 }
    return way.map { $0 == length ? end : start + (end - start) / length * $0 }
  }

  /// DEIS in time has its order in time. ε̂ along a path is a smooth function of time as long as steps are short against the time itself:
  /// σ grows as its root at first, and derivatives in time with it. On the whole range, which begins at 0.001, orders show late
  /// (1.98, 2.91 and 3.3 at 320 steps); from 0.05 on they are there.
  @Test(arguments: [2, 3, 4]) func deisInTime(_ order: Int) throws {
    let schedule = try ContinuousVPSchedule.linear()
    let solver = try AllSolvers.make("deis", ["order": "\(order)", "variable": "time"])
    let (density, states) = (ToyMixture(), [0.6, -1.1, 1.5, -0.2])
    let measured = try Self.slope([80, 160, 320]) { count in
      let roots = Self.graded(1, 0.05.squareRoot(), count: count, order: order, share: 0.5)
      let grid = try Grid(levels: roots.map { try schedule.level(at: schedule.timestepScale * $0 * $0) }, spacing: "graded")
      let exact = density.transported(states, from: grid.levels[0], to: grid.levels[grid.steps])
      let found = try solver.compile(schedule: schedule, grid: grid).runScalar(states) { density.denoised($0, at: $1) }[grid.steps - 1]
      return zip(found, exact).map { abs($0 - $1) }.max() ?? 0
    }
    #expect(abs(measured - Double(order)) <= 0.15, "deis in time of order \(order) has order \(measured)")
  }

  struct Fitted: Sendable, CustomTestStringConvertible {
    var parameters: [String: String]
    let order: Int
    let counts: [Int]
    /// Whether the run begins in short steps.
    var isGraded = false
    var testDescription: String { "\(parameters.sorted { $0.key < $1.key }) \(order)" }
  }

  static let fitted = [
    Fitted(parameters: ["order": "1", "corrector": "never"], order: 1, counts: [40, 80, 160]),
    Fitted(parameters: ["order": "2", "corrector": "never"], order: 2, counts: [80, 160, 320]),
    // The first step is of first order, and its h² is there once.
    Fitted(parameters: ["order": "3", "corrector": "never"], order: 2, counts: [240, 480]),
    Fitted(parameters: ["order": "3", "corrector": "never"], order: 3, counts: [80, 160, 320], isGraded: true),
    // A plain difference to the new point makes the corrector one of second order, whatever the predictor's.
    Fitted(parameters: ["order": "1"], order: 2, counts: [80, 160, 320]),
    Fitted(parameters: ["order": "2"], order: 2, counts: [80, 160, 320]),
    Fitted(parameters: ["order": "3"], order: 2, counts: [80, 160, 320]),
    Fitted(parameters: ["order": "3", "pseudo-corrector": "false"], order: 3, counts: [160, 320], isGraded: true),
  ]

  /// DPM-Solver-v3 has its order in any smooth basis (Zheng et al. 2023, arXiv 2310.13268, section 3.1): here with l, s and b that differ from
  /// element to element and are none of the plain solvers', on normal data.
  @Test(arguments: fitted) func withStatistics(_ fitted: Fitted) throws {
    let schedule = try ContinuousVPSchedule.linear()
    var parameters = fitted.parameters
    parameters["lower-order-final"] = "false"
    parameters["statistics"] = try statistics()
    let solver = try AllSolvers.make("dpm-v3", parameters)
    if !fitted.isGraded { #expect(solver.order == fitted.order) }
    let (density, start) = (ToyGaussian(means: [0.2, 0.4, -1], deviations: [0.5, 1, 0.2]), [0.3, -1.2, 0.8])
    let range = try schedule.lambdaRange()
    let measured = try Self.slope(fitted.counts) { count in
      let lambdas = Self.graded(
        range.lowerBound, range.upperBound, count: count, order: fitted.order, share: fitted.isGraded ? 0.25 : 0)
      let grid = try Grid(levels: lambdas.map { try schedule.level(lambda: $0) }, spacing: "graded")
      let table = try solver.compile(schedule: schedule, grid: grid)
      let found = try ExecutorLaws.run(table, initial: Tensor(start, shape: [1, 3]), noise: FixedNoise([]), density: density)
      let exact = density.transported(start, from: grid.levels[0], to: grid.levels[grid.steps])
      return zip(found, exact).map { abs($0 - $1) }.max() ?? 0
    }
    #expect(abs(measured - Double(fitted.order)) <= 0.15, "\(fitted.testDescription) has order \(measured)")
  }

  /// The path of statistics of three elements.
  private func statistics() throws -> String {
    let lambdas = (0...6000).map { -6 + 12.5 * Double($0) / 6000 }
    func field(_ value: (Double, Double) -> Double) -> [Double] { lambdas.flatMap { lambda in [1.0, 2, 3].map { value(lambda, $0) } } }
    let path = folder.path + "/statistics.safetensors"
    try ModelStatistics(
      lambdas: lambdas, shape: [3], l: field { 0.8 + 0.15 * sin(0.5 * $0 + $1) }, s: field { 0.2 * cos(0.4 * $0 * $1) },
      b: field { 0.1 * sin($0 - $1) }
    ).write(to: path, note: [:])
    return path
  }

  /// What adds noise, with and without parameters, and the order in which the variance of normal data approaches the exact one. The mean
  /// is exact in all of them. Every register is an affine function of independent normals, so that no random number is drawn.
  static let stochastic: [(text: String, order: Int)] = [
    // Ancestral and churned steps: noise is added exactly, and the rest is a step of the ODE, whose order is that of the whole.
    ("euler-ancestral", 1), ("euler-ancestral eta=0.5", 1), ("dpm2-ancestral", 2), ("dpm2-ancestral eta=0.5", 2),
    ("dpm++-2s eta=1", 2), ("dpm++-2s eta=0.5", 2), ("euler s-churn=5", 1), ("heun s-churn=5", 2), ("dpm2 s-churn=5", 2),
    // One prediction per step: the noise within a step is not fed back, which is h² in the covariance of every step.
    ("ddim eta=1", 1), ("ddim eta=0.5", 1), ("ddpm", 1), ("ddpm variance=fixed-large", 1), ("sde-dpm++ order=1", 1),
    ("dpm-multistep order=1 eta=1", 1),
    // Two predictions: the difference to the last one feeds back the noise of the last step with the weight ½h that the present one's
    // should have. In the sum over the run that is a shift by one step, so that h² stays; a third prediction does not mend it.
    ("sde-dpm++", 2), ("sde-dpm++ variant=taylor", 2), ("sde-dpm++ eta=0.5", 2), ("sde-dpm++ order=3", 2),
    ("sde-dpm++ order=3 third-term=exact", 2), ("dpm-multistep eta=1", 2), ("dpm-multistep order=3 third-term=exact eta=1", 2),
    // Stages whose noise is independent of the step's: what they feed back is of the wrong noise.
    ("dpm++-sde", 1), ("dpm++-sde r=0.4", 1), ("dpm++-sde eta=0.5", 1), ("dpm++-2s stages=grid eta=1", 1),
    ("dpm++-3s stages=grid eta=1", 1),
  ]

  /// The weak order of solvers with noise (Kloeden and Platen 1992, section 9.7, for what it is; Karras et al. 2022, arXiv 2206.00364,
  /// section 4, for steps of noise and ODE; Buckwar and Winkler 2006 for multistep methods on SDEs), from σ = 20 to 1 for N(0.7, 0.6²). Over
  /// wider ranges leading errors of both signs meet and cancel for some, since below σ = 0.6 the data's own spread takes over.
  @Test(arguments: stochastic.map(\.text)) func weakOrder(_ text: String) throws {
    let expected = try #require(Self.stochastic.first { $0.text == text }).order
    let measured = try SolverLaws.momentOrder(
      ExponentialTests.make(text), schedule: EDMSchedule(sigmaMin: 1, sigmaMax: 20),
      spacing: AllGrids.make("exponential", ["final": "smallest"]), steps: [84, 168, 336])
    #expect(abs(measured - Double(expected)) <= 0.15, "\(text) has weak order \(measured)")
  }

  /// None is left out: whatever can add noise has its weak order measured.
  @Test func weakOrdersAreOfAll() {
    let measured = Set(Self.stochastic.compactMap { $0.text.split(separator: " ").first.map(String.init) })
    for type in AllSolvers.all where type.nature != .consistency {
      let canAddNoise = type.nature == .diffusion || type.declaration.parameters.contains { ["eta", "s-churn"].contains($0.name) }
      #expect(!canAddNoise || measured.contains(type.declaration.name), "\(type.declaration.name)")
    }
  }

  /// DualFast's anchor adds (α'σ/α − σ')·c·(ε̂ − ε̂_τ) to a step, of which the first factor is of order h, c too where it is scaled with the
  /// step, and the difference where ε̂_τ is the one before. Of these powers of h one is lost in the sum over the run, the rest is the order,
  /// up to that of the base. With the first prediction and a c that does not fall with the step there is none: the limit is the solution of
  /// another equation.
  @Test(arguments: [
    ("ddim", "first", "step", 1), ("ddim", "previous", "step", 1), ("ddim", "previous", "none", 1), ("dpm++-2m", "first", "step", 1),
    ("dpm++-2m", "previous", "step", 2), ("dpm++-2m", "first", "none", 0), ("dpm++-2m", "previous", "none", 1),
    ("dpm-multistep", "first", "step", 1), ("dpm-multistep", "previous", "step", 2), ("dpm-multistep", "first", "none", 0),
    ("dpm-multistep", "previous", "none", 1), ("dpm++-3m:third-term=exact", "first", "step", 1),
    ("dpm++-3m:third-term=exact", "previous", "step", 2), ("dpm++-3m:third-term=exact", "previous", "none", 1),
  ])
  func dualFast(_ base: String, _ anchor: String, _ scaling: String, _ order: Int) throws {
    // The anchor's error has to stand out from the base's: at strength 0.1 that of third order does not leave it alone before 1000 steps.
    let strength = base.hasPrefix("dpm++-3m") ? "1" : "0.1"
    let solver = try AllSolvers.make("dualfast", ["base": base, "anchor": anchor, "scaling": scaling, "strength": strength])
    #expect(solver.order == order)
    let measured = try SolverLaws.measuredOrder(
      solver, schedule: ContinuousVPSchedule.linear(), spacing: AllGrids.make("log-snr", ["final": "smallest"]), density: ToyMixture(),
      state: [0.6], steps: [160, 320, 640])
    #expect(abs(measured - Double(order)) <= 0.15, "\(base) \(anchor) \(scaling) has order \(measured)")
  }
}
