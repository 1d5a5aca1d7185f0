import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTesting
import Testing

/// What is special to the classical solvers, besides the laws and the goldens.
@Suite struct ClassicalSolverTests {
  private func order(
    _ name: String, _ parameters: [String: String], _ density: any ToyDensity = ToyMixture(), state: [Double] = [0.6]
  ) throws -> (found: Double, declared: Int) {
    let solver = try AllSolvers.make(name, parameters)
    let spacing = try AllGrids.make("log-snr", ["final": "smallest"])
    let found = try SolverLaws.measuredOrder(
      solver, schedule: DiscreteVPSchedule(), spacing: spacing, density: density, state: state, steps: [160, 320, 640, 1000])
    return (found, solver.order)
  }

  /// The laws run neutral parameters, which are DDIM; these are the methods themselves.
  @Test(arguments: [
    ["start": "runge-kutta"], ["start": "improved-euler"], ["order": "2", "start": "improved-euler"], ["start": "none"], ["order": "3"],
    ["weights": "variable", "order": "2"], ["weights": "variable", "order": "3"], ["weights": "variable", "order": "4"],
    ["averages": "velocity", "order": "2", "start": "improved-euler"], ["averages": "v", "order": "2", "start": "improved-euler"],
  ])
  func ordersOfPNDM(_ parameters: [String: String]) throws {
    let (found, declared) = try order("pndm", parameters)
    #expect(abs(found - Double(declared)) <= 0.15, "declares \(declared), measured \(found)")
  }

  /// With a start in short steps the linear multistep method has the order of its formula: the first interval of length h is cut so that the
  /// errors of the lower orders are those of h^order.
  @Test(arguments: [
    ("lms order=1", 1), ("lms order=2", 2), ("lms order=3", 3), ("lms order=4", 4), ("deis order=4", 4),
    ("unipc order=3 corrector=false lower-order-final=false", 3), ("unipc order=3 lower-order-final=false", 4),
  ]) func ordersFromGradedStarts(_ text: String, _ order: Int) throws {
    let schedule = try DiscreteVPSchedule()
    let density = ToyMixture()
    let range = try schedule.lambdaRange()
    var points: [(Double, Double)] = []
    // DEIS comes to its fourth order later than the others.
    for count in text.hasPrefix("deis") ? [320, 640, 1280] : [80, 160, 320, 640] {
      let h = (range.upperBound - range.lowerBound) / Double(count)
      // Interval j of the start has length h^(order/(j+2)): its method of order j+1 leaves an error of h^order.
      let starts = (0..<order - 1).map { pow(h, Double(order) / Double($0 + 2)) / 4 }
      var lambdas = starts.reduce(into: [range.lowerBound]) { $0.append($0[$0.count - 1] + $1) }
      lambdas += (1...count).map { range.lowerBound + Double($0) * h }.filter { $0 > lambdas[lambdas.count - 1] + h / 1000 }
      let grid = try Grid(levels: lambdas.map { try schedule.level(lambda: min($0, range.upperBound)) }, spacing: "graded")
      let table = try ExponentialTests.make(text).compile(schedule: schedule, grid: grid)
      let exact = density.transported([0.6], from: grid.levels[0], to: grid.levels[grid.steps])
      let found = table.runScalar([0.6]) { density.denoised($0, at: $1) }[grid.steps - 1]
      points.append((log(Double(count)), -log(abs(found[0] - exact[0]))))
    }
    let slope = SolverLaws.slope(points)
    #expect(abs(slope - Double(order)) <= 0.15, "\(text): measured \(slope)")
  }

  @Test func evaluations() throws {
    let schedule = try DiscreteVPSchedule()
    func count(_ name: String, _ steps: Int) throws -> Int {
      let grid = try AllGrids.make("leading", ["offset": "1", "final": "smallest"]).grid(schedule: schedule, steps: steps)
      return try AllSolvers.named(name).make().compile(schedule: schedule, grid: grid).evaluationCount
    }
    #expect(try count("F-PNDM", 20) == 29 && count("S-PNDM", 20) == 21 && count("PLMS", 20) == 21 && count("ipndm", 20) == 20)
    // Short runs fall back: what cannot look at its end is a multistep step of what history there is.
    for steps in 1...5 { #expect(try count("F-PNDM", steps) == steps + 3 * min(3, steps - 1)) }
    #expect(try count("PLMS", 1) == 1 && count("lms", 1) == 1 && count("dpm2", 1) == 2)
  }

  /// Order 1 is DDIM to the bit, and so is γ = 0 of TCD.
  @Test func neutralIsDDIM() throws {
    for schedule in [try DiscreteVPSchedule(), try EDMSchedule(), try FlowSchedule(shift: 3)] as [any NoiseSchedule] {
      let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 9)
      let ddim = try AllSolvers.make("ddim").compile(schedule: schedule, grid: grid)
      for (name, parameters) in [("pndm", ["order": "1"]), ("lms", ["order": "1"]), ("tcd", ["gamma": "0"])] {
        #expect(try AllSolvers.make(name, parameters).compile(schedule: schedule, grid: grid).rows == ddim.rows, "\(name)")
      }
    }
  }

  /// Ancestral steps without fresh noise are plain ones.
  @Test func ancestralWithoutNoise() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("karras").grid(schedule: schedule, steps: 9)
    let plain = try AllSolvers.make("dpm2").compile(schedule: schedule, grid: grid)
    #expect(try AllSolvers.make("dpm2-ancestral", ["eta": "0"]).compile(schedule: schedule, grid: grid).rows == plain.rows)
  }

  /// Added noise: nothing at 0 (to the bit), only within its bounds, and moments stay right.
  @Test(arguments: ["euler", "heun", "dpm2"]) func churn(_ name: String) throws {
    let schedule = try EDMSchedule(sigmaMin: 0.02, sigmaMax: 20)
    let grid = try AllGrids.make("karras").grid(schedule: schedule, steps: 12)
    func table(_ parameters: [String: String]) throws -> Tableau {
      try AllSolvers.make(name, parameters).compile(schedule: schedule, grid: grid)
    }
    #expect(try table(["s-churn": "0", "s-tmin": "3"]).rows == table([:]).rows)
    #expect(try table(["s-churn": "5"]).noiseCount == 12)
    let bounded = try table(["s-churn": "5", "s-tmin": "0.5", "s-tmax": "10"])
    #expect(bounded.noiseCount == grid.levels.dropLast().count { (0.5...10).contains($0.sigma) })
    #expect { try table(["s-tmin": "3", "s-tmax": "2"]) } throws: { "\($0)".contains("s-tmin") }
    #expect(throws: (any Error).self) { try table(["s-churn": "nan"]) }
    let solver = try AllSolvers.make(name, ["s-churn": "4"])
    let order = try SolverLaws.momentOrder(solver, schedule: schedule, spacing: AllGrids.make("karras", ["final": "smallest"]))
    #expect(order >= 0.85, "measured \(order)")
  }

  /// A consistency model's own function makes the exact marginal in any number of steps: mean and variance of normal data, without boundary
  /// conditions and with full renewal (which on trained timesteps stops at the least noise, so that TCD is asked on a flow).
  @Test(arguments: [1, 2, 4, 8]) func consistencyIsExact(_ steps: Int) throws {
    let settings: [(String, [String: String], any NoiseSchedule, String)] = [
      ("lcm", ["timestep-scaling": "0"], try DiscreteVPSchedule(), "lcm"), ("tcd", ["gamma": "1"], try FlowSchedule(), "trailing"),
    ]
    for (name, parameters, schedule, spacing) in settings {
      let grid = try AllGrids.make(spacing).grid(schedule: schedule, steps: steps)
      let table = try AllSolvers.make(name, parameters).compile(schedule: schedule, grid: grid)
      #expect(table.noiseCount == steps - 1)
      // Data N(0.7, 0.6²): the jump of the flow is 0.7 + 0.6·(x − 0.7α)/√(0.36α² + σ²).
      var states = [[0.7, 0.0]]
      var predictions: [[Double]] = []
      let start = grid.levels[0]
      states[0] = [0.7 * start.alpha, (0.36 * start.alpha * start.alpha + start.sigma * start.sigma).squareRoot()]
      for row in table.rows {
        if let call = row.evaluation {
          let (x, level) = (states[call.state], call.level)
          let spread = (0.36 * level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()
          predictions.append([0.7 + 0.6 * (x[0] - 0.7 * level.alpha) / spread, 0.6 * x[1] / spread])
        }
        let parts = row.terms.map { term -> (Double, Double, Bool) in
          let c = term.coefficient.scalar
          return switch term.register {
          case .state(let k): (c * states[k][0], c * states[k][1], false)
          case .denoised(let e): (c * predictions[e][0], c * predictions[e][1], false)
          case .noise: (0, c, true)
          case .one: (c, 0, false)
          }
        }
        let own = parts.filter { !$0.2 }.reduce(0) { $0 + $1.1 }
        let fresh = parts.filter(\.2).reduce(0) { $0 + $1.1 * $1.1 }
        states.append([parts.reduce(0) { $0 + $1.0 }, (own * own + fresh).squareRoot()])
      }
      #expect(abs(states[states.count - 1][0] - 0.7) < 1e-12 && abs(states[states.count - 1][1] - 0.6) < 1e-12, "\(name)")
    }
  }

  /// At pure noise the sigma frame has no slope: a first-order step, and no NaN anywhere.
  @Test(arguments: ["pndm", "PLMS", "lms", "dpm2", "dpm2-ancestral", "ddpm"]) func pureNoise(_ name: String) throws {
    let density = ToyGaussian()
    for schedule in [try DiscreteVPSchedule(terminalSNR: .zero), try FlowSchedule(shift: 3)] as [any NoiseSchedule] {
      for steps in 1...6 {
        let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: steps)
        let table = try AllSolvers.named(name).make().compile(schedule: schedule, grid: grid)
        let end = table.runScalar([0.4, -1.1]) { density.denoised($0, at: $1) }[steps - 1]
        #expect(end.allSatisfy { $0.isFinite && abs($0) < 5 }, "\(name) \(steps): \(end)")
      }
    }
  }
}
