import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Grids and trajectories against diffusers, see Parity/schedulers.py.
@Suite struct ParityTests {
  @Test func goldensAreThere() throws {
    for (name, count) in [
      ("schedulers", 200), ("schedulers-classical", 400), ("schedulers-exponential", 900), ("schedulers-authors", 500),
      ("schedulers-files", 240), ("schedulers-grids", 770),
    ] {
      #expect(try Golden.named(name).cases.count > count)
    }
    let files = try Golden.files.get().values
    let shared = try Golden.shared
    #expect(shared.versions["diffusers"] != nil)
    #expect(files.allSatisfy { $0.initial == shared.initial && $0.noises == shared.noises })
  }

  @Test(arguments: Golden.grids) func grid(_ entry: Golden.GridEntry) throws {
    let words = try entry.grid.map { try Translation(words: $0) } ?? Translation(scheduler: entry.scheduler, spacing: entry.spacing)
    let grid = try words.spacing.grid(schedule: words.schedule, steps: entry.steps)
    #expect(grid.steps == entry.steps)
    for (ours, theirs) in zip(grid.timesteps, entry.timesteps) {
      #expect(abs(ours - theirs) <= 1e-8 * max(1, abs(theirs)), "timesteps \(grid.timesteps) and \(entry.timesteps)")
    }
    for (ours, theirs) in zip(grid.coordinates(words.schedule.frame), entry.sigmas ?? []) {
      #expect(abs(ours - theirs) <= 1e-10 * max(1, theirs), "sigmas \(grid.coordinates()) and \(entry.sigmas ?? [])")
    }
  }

  /// Equal to 1e-9 of the largest value when diffusers computes in float64; as shipped its float32 tables and states allow 1e-5. The
  /// exponential DPM grid differs more (1e-3): float32 rounding there moves a timestep over the integer it is truncated to. Runs that are
  /// compared before a last step without length stop amid short steps, and ratios of noise reach 4096 with almost no signal: 1e-4. From pure noise
  /// all of DDIM's noise may be fresh, and diffusers takes the root of what rounding leaves of 1 − ᾱ' − σ², some 1e-8 in place of 0.
  @Test(arguments: Golden.cases) func trajectory(_ golden: Golden.Case) throws {
    let shared = try Golden.shared
    let words = try golden.grid.map { try Translation(words: $0) } ?? Translation(scheduler: golden.scheduler, spacing: golden.spacing)
    let grid = try words.spacing.grid(schedule: words.schedule, steps: golden.steps)
    let table = try Self.solver(golden).compile(schedule: words.schedule, grid: grid)
    let network = ClosedFormNetwork(prediction: golden.prediction)
    let parametrisation = try Parametrisation.named(golden.prediction)
    let corrections = try golden.correction.map { [try Self.correction($0)] } ?? []
    let denoiser = GuidedDenoiser(parametrisation: parametrisation, corrections: corrections) { input, context in
      Tensor(network(try input.scalars(Double.self), timestep: context.level.timestep), shape: input.shape)
    }
    let noises = shared.noises.map { Tensor($0, shape: [1, $0.count]) }
    let executor = try TableauExecutor(
      table, initial: Tensor(shared.initial, shape: [1, 6]), noise: FixedNoise(noises), checksFinite: true)
    var middle: [Double] = []
    while let (state, context) = try executor.nextEvaluation() {
      try executor.accept(denoised: denoiser.denoised(state, context: context))
      if executor.completedSteps == golden.steps / 2, middle.isEmpty { middle = try executor.state.scalars() }
      if executor.completedSteps == golden.compared { break }
    }
    try #require(executor.completedSteps == golden.compared ?? golden.steps)
    let end: [Double] = try executor.state.scalars()
    if let expected = golden.mid, !expected.isEmpty { #expect(distance(middle, expected) < 1e-9, "middle \(middle), expected \(expected)") }
    let hasRootOfNothing = golden.scheduler == "DDIMScheduler" && golden.grid == "zero-snr trailing" && golden.eta == 1
    #expect(distance(end, golden.end) < (hasRootOfNothing ? 2e-8 : 1e-9), "end \(end), expected \(golden.end)")
    guard let shipped = golden.end32 else { return }
    let isTruncated = ["DPM", "UniPC"].contains { golden.scheduler.hasPrefix($0) } && golden.spacing == "exponential"
    // diffusers' DEIS subtracts logarithms of float32; its third-order singlestep solver divides small differences.
    let isSingular = golden.grid == "zero-snr trailing" || golden.spacing == "zero-snr" && golden.scheduler.hasPrefix("EulerAncestral")
    let bound =
      isTruncated || golden.scheduler.hasPrefix("DEIS")
      ? 1e-3
      : golden.compared != nil || isSingular ? 1e-4 : golden.scheduler.hasPrefix("DPMSolverSinglestep") ? 2e-5 : 1e-5
    #expect(distance(end, shipped) < bound, "end \(end), as shipped \(shipped)")
  }

  @Test(arguments: ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "exp"], TablePrecision.allTested)
  func table(_ name: String, _ precision: TablePrecision) throws {
    let tables = try #require(try Golden.shared.alphasCumprod)
    for terminal in [DiscreteVPSchedule.TerminalSNR.trained, .zero] {
      let key = name + (terminal == .zero ? " zero" : "") + (precision == .float32 ? " float32" : "")
      guard let expected = tables[key] else { continue }
      let betas = try BetaSchedule.named(name, start: 0.00085, end: 0.012)
      let schedule = try DiscreteVPSchedule(betas, terminalSNR: terminal, precision: precision)
      let found = [0, 1, 10, 250, 500, 750, 998, 999].map { schedule.alphasCumprod[$0] }
      // float32: a β one rounding away from torch's vectorised linspace accumulates over 1000 factors.
      #expect(distance(found, expected) < (precision == .float32 ? 2e-6 : 1e-12), "\(key): \(found) and \(expected)")
    }
  }

  @Test(arguments: [5.0, 8.0]) func restorationSchedule(_ rate: Double) throws {
    let expected = try #require(try Golden.named("schedulers-classical").alphasCumprod?[String(Int(rate))])
    let schedule = try DiscreteVPSchedule(.restoration(rate))
    #expect(distance([0, 1, 10, 250, 500, 750, 998, 999].map { schedule.alphasCumprod[$0] }, expected) < 1e-12)
    if rate == 8 { #expect(abs(schedule.alphasCumprod[899] - 0.55) < 0.01 && abs(schedule.alphasCumprod[499] - 0.98) < 0.01) }
  }

  private static func correction(_ words: String) throws -> any Correction {
    let words = words.split(separator: " ").map(String.init)
    return try AllCorrections.make(words[0], Translation.parameters(words.dropFirst()))
  }

  private static func solver(_ golden: Golden.Case) throws -> any Solver {
    var words = golden.solver.split(separator: " ").map(String.init)
    let name = words.removeFirst()
    var parameters: [String: String] = [:]
    for word in words {
      let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
      parameters[pair[0]] = pair[1]
    }
    if name == "ddim" { parameters["eta"] = "\(golden.eta)" }
    return try AllSolvers.make(name, parameters)
  }
}

extension TablePrecision {
  static let allTested: [TablePrecision] = [.double, .float32]
}

/// Greatest difference, relative to the greatest expected magnitude.
func distance(_ found: [Double], _ expected: [Double]) -> Double {
  guard found.count == expected.count else { return .infinity }
  let scale = expected.map(abs).max() ?? 1
  return (zip(found, expected).map { abs($0 - $1) }.max() ?? 0) / max(scale, 1e-30)
}
