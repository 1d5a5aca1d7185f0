import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTesting
import Testing

/// What the exponential integrators promise besides the laws of all solvers: orders of their variants, and which of them are one table.
@Suite struct ExponentialTests {
  struct Variant: Sendable, CustomTestStringConvertible {
    let text: String
    let order: Double
    var testDescription: String { text }

    var solver: any Solver {
      get throws { try make(text) }
    }
  }

  /// `name parameter=value …`.
  static func make(_ text: String) throws -> any Solver {
    let words = text.split(separator: " ").map(String.init)
    let pairs = words.dropFirst().map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
    return try AllSolvers.make(words[0], Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) }))
  }

  static let variants = [
    Variant(text: "dpm++-2m variant=taylor", order: 2), Variant(text: "dpm++-3m third-term=exact", order: 3),
    Variant(text: "sde-dpm++ eta=0 order=3 third-term=exact", order: 3), Variant(text: "dpm-multistep order=1", order: 1),
    Variant(text: "dpm-multistep variant=taylor", order: 2), Variant(text: "dpm-multistep order=3 third-term=exact", order: 3),
    Variant(text: "dpm-singlestep order=1", order: 1), Variant(text: "dpm-singlestep order=2", order: 2),
    Variant(text: "dpm-singlestep order=3 variant=taylor", order: 3), Variant(text: "dpm++-3s variant=taylor", order: 3),
    Variant(text: "dpm++-2s variant=taylor", order: 2), Variant(text: "unipc order=1 lower-order-final=false", order: 2),
    Variant(text: "unipc order=2 lower-order-final=false corrector=false", order: 2),
    Variant(text: "unipc order=2 lower-order-final=false variant=bh1", order: 3),
    Variant(text: "unipc order=2 lower-order-final=false exact-weights=true", order: 3),
    Variant(text: "unipc order=2 lower-order-final=false prediction=epsilon", order: 3), Variant(text: "deis order=1", order: 1),
    Variant(text: "deis order=3", order: 3), Variant(text: "deis variable=rho", order: 2),
    Variant(text: "deis order=3 variable=rho", order: 3),
    Variant(text: "unic base=ddim order=1", order: 2), Variant(text: "unic base=dpm++-2m order=2", order: 3),
    Variant(text: "unic base=dpm-singlestep:order=2 order=2", order: 3), Variant(text: "unic base=deis order=2", order: 3),
    Variant(text: #"usf decisions={"every":{"prediction":"velocity","order":2}}"#, order: 2),
    Variant(text: #"usf decisions={"every":{"prediction":"velocity","order":3}}"#, order: 3),
    Variant(text: #"usf decisions={"every":{"prediction":0.5,"order":2}}"#, order: 2),
    Variant(text: #"usf decisions={"every":{"prediction":0.3,"order":3}}"#, order: 3),
    Variant(text: #"usf decisions={"every":{"order":2,"derivatives":[{"points":[1],"relaxation":"linear","coefficient":0.1}]}}"#, order: 2),
    Variant(text: #"usf decisions={"every":{"order":2,"corrector":{"order":3,"kind":"implicit"}}}"#, order: 3),
  ]

  /// Within 0.15 of theory, on a curved flow.
  @Test(arguments: variants) func order(_ variant: Variant) throws {
    let spacing = try AllGrids.make("log-snr", ["final": "smallest"])
    let measured = try SolverLaws.measuredOrder(
      variant.solver, schedule: ContinuousVPSchedule.linear(), spacing: spacing, density: ToyMixture(), state: [0.6],
      steps: variant.order > 2 ? [80, 160, 320, 640] : [40, 80, 160, 320])
    #expect(abs(measured - variant.order) < 0.15, "\(variant.text) has order \(measured)")
  }

  private func rows(_ text: String, steps: Int = 12, spacing: String = "linspace", final: String = "zero") throws -> [Tableau.Row] {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make(spacing, ["final": final]).grid(schedule: schedule, steps: steps)
    return try Self.make(text).compile(schedule: schedule, grid: grid).rows
  }

  /// With one term all predictions give one table, that of DDIM, bit for bit.
  @Test(arguments: [
    "dpm-multistep order=1", "dpm-singlestep order=1", "deis order=1", "sde-dpm++ order=1 eta=0",
    #"usf decisions={"every":{"prediction":"velocity"}}"#, #"usf decisions={"every":{"prediction":0.4}}"#, "unipc order=1 corrector=false",
    "unic base=euler order=0", "dualfast base=ddim strength=0",
  ])
  func firstOrderIsDDIM(_ text: String) throws { #expect(try rows(text) == rows("ddim")) }

  /// Pairs that are one method under two names, bit for bit.
  @Test(arguments: [
    ("sde-dpm++ eta=0", "dpm++-2m"), ("sde-dpm++ eta=0 order=3", "dpm++-3m"), ("deis", "dpm-multistep variant=taylor"),
    ("deis order=3", "dpm-multistep order=3 third-term=exact variant=taylor"),
    ("unipc order=3 exact-weights=true variant=bh1", "unipc order=3 exact-weights=true variant=bh2"),
    ("unic base=ddim order=1", "unipc order=1"), ("unic base=unipc:corrector=false order=2", "unipc order=2"),
    ("unic order=0", "dpm++-2m"), ("dualfast strength=0", "dpm++-2m"), ("dualfast strength=0 base=unipc", "unipc"),
    ("dualfast strength=0 base=dpm-multistep", "dpm-multistep"),
    ("unipc order=2 corrector=false lower-order-final=false", "dpm++-2m lower-order-final=false"),
    (#"usf decisions={"every":{"order":2,"derivatives":[{"points":[1],"relaxation":"bh2"}]}}"#, "dpm++-2m lower-order-final=false"),
    (
      #"usf decisions={"every":{"order":3,"derivatives":[{"points":[1,2]},{"points":[1,2],"factor":0.5}]}}"#,
      "dpm++-3m lower-order-final=false variant=taylor"
    ),
    (
      #"usf decisions={"every":{"order":2,"derivatives":[{"points":[1],"relaxation":"bh1"}],"corrector":{"order":3}}}"#,
      "unipc variant=bh1 exact-weights=true"
    ),
  ])
  func oneTable(_ pair: (String, String)) throws {
    // Orders that depend on the length of the run agree on a grid that ends above clean data only where both have the same rule.
    if pair.0.hasPrefix("usf"), pair.1.hasPrefix("unipc") {
      let (a, b) = (try rows(pair.0), try rows("unipc variant=bh1 lower-order-final=false"))
      try #require(a.count == b.count)
      // The published first corrector takes ½ where the plain one solves: row 1, after the first step. All others are the same numbers.
      #expect(a.indices.filter { a[$0] != b[$0] } == [1])
      return
    }
    #expect(try rows(pair.0) == rows(pair.1))
  }

  /// DDIM with η = 1 is the first-order SDE solver.
  @Test func firstOrderSDEIsDDPM() throws {
    for (ours, ddpm) in zip(try rows("sde-dpm++ order=1"), try rows("ddim eta=1")) {
      #expect(ours.terms.map(\.register) == ddpm.terms.map(\.register))
      for (a, b) in zip(ours.terms, ddpm.terms) { #expect(abs(a.coefficient.scalar - b.coefficient.scalar) < 1e-12) }
    }
  }

  /// DualFast against a hand calculation of two steps: x'' of the base less (α''σ'/α' − σ'')·c·(ε' − ε).
  @Test(arguments: ["first", "previous"], ["ddim", "dpm++-2m", "unipc", "dpm-multistep"])
  func dualFastByHand(_ anchor: String, _ base: String) throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("linspace", ["final": "smallest"]).grid(schedule: schedule, steps: 2)
    func run(_ solver: any Solver) throws -> (states: [[Double]], noises: [Double]) {
      var noises: [Double] = []
      let states = try solver.compile(schedule: schedule, grid: grid).runScalar([0.8]) { state, level in
        let denoised = tanh(state[0] + level.sigma)
        noises.append((state[0] - level.alpha * denoised) / level.sigma)
        return [denoised]
      }
      return (states, noises)
    }
    let plain = try run(AllSolvers.make(base))
    let moved = try run(
      AllSolvers.make("dualfast", ["base": base, "strength": "0.3", "anchor": anchor, "scaling": "none", "shape": "time"]))
    #expect(abs(moved.states[0][0] - plain.states[0][0]) < 1e-12)
    let (from, to) = (grid.levels[1], grid.levels[2])
    let c = 0.3 * (1 - from.timestep / grid.levels[0].timestep)
    let expected = plain.states[1][0] - (to.alpha * from.sigma / from.alpha - to.sigma) * c * (plain.noises[1] - plain.noises[0])
    #expect(abs(moved.states[1][0] - expected) < 1e-12)
  }

  /// The published formulas of a UniPC step of order 1 or 2 (bh2, on x̂0), with what DualFast adds to their common first-order term.
  private struct HandStep {
    let from: NoiseLevel, to: NoiseLevel
    /// The prediction at the start, the one before it, and where that one was made.
    let m: Double, before: (m: Double, level: NoiseLevel)?
    /// What the anchor adds.
    let added: Double

    private var hh: Double { from.lambda - to.lambda }
    /// B(h).
    private var b: Double { exp(hh) - 1 }
    private func common(_ x: Double) -> Double { to.sigma / from.sigma * x - to.alpha * b * m + added }

    /// The ratio of the earlier point and the difference to it.
    private var earlier: (r: Double, d: Double)? {
      before.map { before in
        let r = (before.level.lambda - from.lambda) / (to.lambda - from.lambda)
        return (r: r, d: (before.m - m) / r)
      }
    }

    func predicted(_ x: Double) -> Double { common(x) - (earlier.map { to.alpha * b * 0.5 * $0.d } ?? 0) }

    /// With the prediction at the predicted state.
    func corrected(_ x: Double, new: Double) -> Double {
      guard let earlier else { return common(x) - to.alpha * b * 0.5 * (new - m) }
      let q1 = b / hh - 1
      let (b1, b2) = (q1 / b, (q1 / hh - 0.5) * 2 / b)
      // ρ1 + ρ2 = b1, r·ρ1 + ρ2 = b2.
      let rho = (b2 - b1) / (earlier.r - 1)
      return common(x) - to.alpha * b * (rho * earlier.d + (b1 - rho) * (new - m))
    }
  }

  /// DualFast on UniPC against four steps by hand: the anchor is part of the first-order term, which the corrector begins from as well.
  @Test(arguments: ["first", "previous"]) func dualFastOnUniPCByHand(_ anchor: String) throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("linspace", ["final": "smallest"]).grid(schedule: schedule, steps: 4)
    func network(_ state: Double, _ level: NoiseLevel) -> Double { tanh(state + level.sigma) }
    let solver = try AllSolvers.make(
      "dualfast", ["base": "unipc", "strength": "0.3", "anchor": anchor, "scaling": "none", "shape": "time"])
    let found = try solver.compile(schedule: schedule, grid: grid).runScalar([0.8]) { state, level in [network(state[0], level)] }

    var (x, predictions, noises): (Double, [Double], [Double]) = (0.8, [], [])
    var last: (step: HandStep, state: Double)?
    for (index, order) in [1, 2, 2, 1].enumerated() {
      let (from, to) = (grid.levels[index], grid.levels[index + 1])
      let m = network(x, from)
      predictions.append(m)
      noises.append((x - from.alpha * m) / from.sigma)
      if let last { x = last.step.corrected(last.state, new: m) }
      let c = 0.3 * (1 - from.timestep / grid.levels[0].timestep)
      let away = noises[index] - noises[anchor == "first" ? 0 : max(0, index - 1)]
      let step = HandStep(
        from: from, to: to, m: m, before: order == 2 ? (m: predictions[index - 1], level: grid.levels[index - 1]) : nil,
        added: -(to.alpha * from.sigma / from.alpha - to.sigma) * c * away)
      last = (step: step, state: x)
      x = step.predicted(x)
      #expect(abs(found[index][0] - x) < 1e-12, "step \(index)")
    }
  }

  /// Times of EDM are ln(σ)/4, of either sign: c grows from 0 to the strength there as well.
  @Test(arguments: [[80, 10, 1, 0.1, 0.002], [1, 0.3, 0.1, 0.02, 0.002], [0.5, 0.1, 0.02, 0.002, 0]], ["time", "log-snr"])
  func dualFastOnEDM(_ sigmas: [Double], _ shape: String) throws {
    let schedule = try EDMSchedule()
    let grid = try Grid(sigmas: sigmas, on: schedule)
    let solver = try #require(
      try AllSolvers.make("dualfast", ["strength": "0.3", "scaling": "none", "shape": shape, "last-step": "true"]) as? DualFast)
    let strengths = try solver.plan(schedule: schedule, grid: grid).compactMap { $0.decision.anchor?.strength }
    #expect(strengths.count == 3 && strengths == strengths.sorted() && strengths.allSatisfy { (0...0.3).contains($0) }, "\(strengths)")
    let terms = try solver.compile(schedule: schedule, grid: grid).rows.flatMap(\.terms)
    #expect(terms.allSatisfy { $0.coefficient.scalar.isFinite })
  }

  /// An order that a run is too short for is told, with the one that is reached.
  @Test(arguments: [
    ("dpm++-2m", 1, 1), ("dpm++-3m", 2, 1), ("dpm++-3m lower-order-final=false", 2, 2), ("dpm-multistep order=3", 2, 1),
    ("sde-dpm++ order=3 lower-order-below=0", 2, 2), ("deis order=4", 3, 2), ("unipc", 1, 1), ("unipc order=3", 2, 1),
    ("unipc order=3 lower-order-final=false", 2, 2), ("dpm-v3 order=3", 2, 1), ("dpm-v3 order=3 lower-order-final=false", 2, 2),
    ("unic order=3", 2, 1), ("unic base=dpm-multistep:order=3", 2, 1), ("dualfast base=unipc:order=3", 2, 1),
  ])
  func shortRunsAreTold(_ text: String, _ steps: Int, _ reached: Int) throws {
    let solver = try Self.make(text)
    let told = solver.fallbacks(steps: steps)
    #expect(told.count == 1 && told.allSatisfy { $0.contains("reaches order \(reached) at most in \(steps) step") }, "\(told)")
    #expect(solver.fallbacks(steps: 4) == [])
  }

  /// Runs of five steps reach every standard order.
  @Test func ordinaryRunsAreNot() throws {
    for type in AllSolvers.all { #expect(try AllSolvers.make(type.declaration.name).fallbacks(steps: 5) == []) }
  }

  /// Histories hold one register for each earlier prediction, in either prediction.
  @Test(arguments: [
    ("dpm++-2m", 4), ("dpm++-3m", 5), ("dpm-multistep order=2", 4), ("dpm-multistep order=3", 5), ("deis order=3", 5), ("unipc order=2", 6),
    ("unipc order=3", 7), ("dpm++-2s", 5), ("dpm++-3s", 5), ("dpm-singlestep order=3", 5), ("dualfast", 5),
  ])
  func registers(_ pair: (String, Int)) throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 20)
    #expect(try Self.make(pair.0).compile(schedule: schedule, grid: grid).peakRegisters <= pair.1)
  }
}
