public import QuickstepNN

/// UniC: the corrector of UniPC on top of another solver (Zhao et al. 2023, arXiv 2302.04867, section 3.3).
///
/// The evaluation that the next step needs anyway first corrects the state it was made at. The base's decisions stay as they are; each of its
/// steps gets a corrector in its own prediction, through as many ends of steps as the order asks for.
public struct UniC: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "unic", family: .solver, summary: "The corrector of UniPC on top of another solver.", points: [.step],
    reads: ["state", "denoised", "previous state", "previous denoised"], changes: ["state"], needs: ["a base without noise"],
    state: "that of the base, and at least as many earlier predictions as its order",
    parameters: [
      BaseSolver.parameter(standard: "dpm++-2m"),
      ParameterDeclaration(
        name: "order", summary: "p: the corrector lays a polynomial through p + 1 predictions; 0 is the base.", domain: .integer(0...3),
        standard: .integer(2), neutral: .integer(0)),
      UniMethod.variant, UniMethod.exact,
      StepList.parameter("disable-corrector", "Steps whose result is not corrected."),
    ], exactness: .approximate, reference: "arXiv 2302.04867, section 3.3")

  private(set) var base: any PlannedSolver
  let greatest: Int
  let method: UniMethod
  let uncorrected: Set<Int>

  /// Reads `base`, `order`, `variant`, `exact-weights` and `disable-corrector`.
  /// - Throws: `ParameterError` or ``UnknownMethodError`` for a base that cannot be corrected.
  public init(_ values: ParameterValues) throws {
    base = try BaseSolver.read(values, for: Self.name)
    greatest = values.integer("order") ?? 2
    method = UniMethod(values)
    uncorrected = try StepList.read("disable-corrector", values)
  }

  /// One more than the base's, as far as its own reaches.
  public var order: Int { greatest == 0 ? base.order : max(base.order, min(base.order, greatest) + 1) }

  /// Those of the base, and a corrector's order above the number of steps: it is that of its step, and the last one has none.
  public func fallbacks(steps: Int) -> [String] {
    base.fallbacks(steps: steps) + OrderFallback.sentences(Self.name, order: greatest, steps: steps) { min(greatest, $0) }
  }

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
  /// - Throws: what the base throws; ``TableauError`` for a base with noise or correctors of its own.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    var plan = try base.plan(schedule: schedule, grid: grid)
    guard greatest > 0 else { return plan }
    // Stages inside a step are less accurate than its ends, and would cost the corrector its order: only ends are points.
    let starts = plan.enumerated().map { $0 - $1.decision.start }
    let ends = Set(starts)
    var step = 0
    for (index, start) in starts.enumerated().dropLast() {
      guard plan[index].decision.corrector == nil else {
        throw TableauError("unic goes on top of '\(type(of: base).name)', which has correctors already")
      }
      if ends.contains(index + 1), !uncorrected.contains(step) {
        let older = ends.filter { $0 < start }.sorted(by: >).prefix(greatest - 1)
        plan[index].decision.corrector = method.corrector(start: index - start, older: older.map { index - $0 })
      }
      if plan[index].finishesStep { step += 1 }
    }
    return plan
  }
}
