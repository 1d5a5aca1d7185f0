public import QuickstepNN

/// DualFast: the first-order term of another solver reads ε̂ + c·(ε̂ − ε̂_τ) instead of ε̂, with an earlier, noisier ε̂_τ (arXiv 2506.13058).
///
/// In either prediction that adds −(α'σ/α − σ')·c·(ε̂ − ε̂_τ) to the step. c grows from 0 at the first level to `strength` at the last one;
/// unless asked otherwise it is also multiplied by the step's length in λ, so that small steps still tend to the ODE's solution.
public struct DualFast: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "dualfast", family: .solver, summary: "Moves the noise prediction away from an earlier, noisier one.", points: [.step],
    reads: ["state", "denoised", "an earlier noise prediction"], changes: ["state"], needs: ["a base without noise"],
    state: "that of the base, and one earlier noise prediction",
    parameters: [
      BaseSolver.parameter(standard: "dpm++-2m"),
      ParameterDeclaration(
        name: "strength", summary: "c at the end of the run; 0 is the base.", domain: .number(0...1), standard: .number(0.1),
        neutral: .number(0)),
      ParameterDeclaration(
        name: "anchor", summary: "Which earlier prediction.", domain: .choice(Anchor.Point.allCases.map(\.rawValue)),
        standard: .choice(Anchor.Point.first.rawValue)),
      ParameterDeclaration(
        name: "shape", summary: "In which coordinate c grows evenly.", domain: .choice(["time", "log-snr"]), standard: .choice("time")),
      ParameterDeclaration(
        name: "scaling", summary: "step multiplies c by the smaller of 1 and the step in λ; none does not.",
        domain: .choice(["step", "none"]), standard: .choice("step")),
      ParameterDeclaration(
        name: "last-step", summary: "Also in a step to clean data, which is first order.", domain: .flag, standard: .flag(false)),
    ], exactness: .approximate, reference: "arXiv 2506.13058")

  private(set) var base: any PlannedSolver
  let strength: Double
  let anchor: Anchor.Point
  let isInTime: Bool
  let scalesWithStep: Bool
  let changesLastStep: Bool

  /// Reads `base`, `strength`, `anchor`, `shape`, `scaling` and `last-step`.
  /// - Throws: `ParameterError` or ``UnknownMethodError`` for a base that is no list of exponential steps.
  public init(_ values: ParameterValues) throws {
    base = try BaseSolver.read(values, for: Self.name)
    strength = values.number("strength")
    anchor = Anchor.Point(rawValue: values.choice("anchor") ?? "") ?? .first
    isInTime = values.choice("shape") == "time"
    scalesWithStep = values.choice("scaling") == "step"
    changesLastStep = values.flag("last-step")
  }

  /// The base's at strength 0. Otherwise at most what the anchor leaves: one order where c falls with the step, and one more where the
  /// anchor is the prediction before; 0, with neither, says that small steps do not tend to the ODE's solution.
  public var order: Int { strength == 0 ? base.order : min(base.order, (scalesWithStep ? 1 : 0) + (anchor == .previous ? 1 : 0)) }

  /// Those of the base.
  public func fallbacks(steps: Int) -> [String] { base.fallbacks(steps: steps) }

  /// That of the base.
  public var skipsFirstEvaluation: Bool { base.skipsFirstEvaluation }
  /// Those of the base.
  public var statistics: (ModelStatistics, ModelStatistics.Quadrature)? { base.statistics }
  /// Those of the base.
  public func concerns(fingerprint: String, guidanceScale: Double?, accelerations: [String]) -> [String] {
    base.concerns(fingerprint: fingerprint, guidanceScale: guidanceScale, accelerations: accelerations)
  }

  /// On top of the base of such a run.
  public func beginning(at step: Int, of steps: Int) throws -> any Solver {
    let part = try base.beginning(at: step, of: steps)
    var rest = self
    rest.base = part as? any PlannedSolver ?? base
    return rest
  }

  /// As many evaluations as the base.
  /// - Throws: what the base throws.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    var plan = try base.plan(schedule: schedule, grid: grid)
    guard strength > 0 else { return plan }
    let levels = [grid.levels[0]] + plan.map(\.level)
    for (index, step) in plan.enumerated() {
      let from = levels[max(0, index - step.decision.start)]
      let isLast = step.level.sigma == 0
      guard step.finishesStep, index > step.decision.start, changesLastStep || !isLast else { continue }
      var c = strength * progress(from, grid.levels, schedule)
      if scalesWithStep, !isLast { c *= min(1, step.level.lambda - from.lambda) }
      plan[index].decision.anchor = Anchor(anchor, strength: c)
    }
    return plan
  }

  /// 0 at the run's first level, 1 where the schedule's times end (in time) or at the last level with noise (in log-SNR).
  private func progress(_ level: NoiseLevel, _ levels: [NoiseLevel], _ schedule: any NoiseSchedule) -> Double {
    if isInTime {
      let end = schedule.endOfTime
      let whole = max(levels[0].timestep - end, .leastNonzeroMagnitude)
      return min(max(1 - (level.timestep - end) / whole, 0), 1)
    }
    let noisy = levels.filter { $0.sigma > 0 && $0.alpha > 0 }.map(\.lambda)
    guard let first = noisy.first, let last = noisy.last, last > first, level.alpha > 0 else { return 0 }
    return (level.lambda - first) / (last - first)
  }
}
