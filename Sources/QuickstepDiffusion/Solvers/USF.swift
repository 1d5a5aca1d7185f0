public import QuickstepNN

/// The unified sampling framework: every step decides for itself which prediction is a polynomial, of what degree, through which points, with
/// which relaxation and which corrector (Liu et al. 2023, arXiv 2312.07243, sections 3.1 to 3.3).
///
/// The decisions are data: a file or inline JSON. DDIM, DPM-Solver, DPM-Solver++, DPM-Solver-v3, UniPC, DEIS and DualFast are points of this space.
public struct USF: PlannedSolver {
  public static let declaration = MethodDeclaration(
    name: "usf", family: .solver, summary: "Exponential steps whose every choice is read from data.", points: [.step],
    reads: ["state", "denoised", "earlier states and predictions"], changes: ["state"],
    needs: [
      "as many steps as there are decisions, where they are given one by one",
      "statistics made by 'quickstep calibrate statistics' for steps in their basis",
    ],
    state: "what the decisions name",
    parameters: [
      ParameterDeclaration(
        name: "decisions", summary: "One decision for every step, or one for each.",
        domain: .text("JSON such as {\"every\":{\"order\":2}}, or the path of a file of it"), standard: .text(#"{"every":{"order":2}}"#)),
      ParameterDeclaration(
        name: "statistics", summary: "The model's statistics, for decisions with the prediction 'statistics'.",
        domain: .text("path of a safetensors file"), standard: .text("")),
      ModelStatistics.Quadrature.parameter,
    ], exactness: .approximate, reference: "arXiv 2312.07243, sections 3.1 to 3.3")

  /// The decisions.
  public let decisions: UnifiedDecisions

  /// The model's statistics, and how they are integrated.
  public let statistics: (ModelStatistics, ModelStatistics.Quadrature)?

  /// Reads `decisions`, `statistics` and `quadrature`.
  /// - Throws: `ParameterError` naming the file and the member that is wrong, and for statistics that no decision asks for; `FormatError` when their
  ///   file is not of the kind.
  public init(_ values: ParameterValues) throws {
    decisions = try UnifiedDecisions(textOrPath: values.text("decisions") ?? "")
    let quadrature = ModelStatistics.Quadrature(values)
    let path = values.text("statistics")
    let idle = path != nil && !decisions.asksForStatistics ? "statistics" : path == nil && quadrature != .simpson ? "quadrature" : nil
    if let idle { throw ParameterError("usf: '\(idle)' has no effect; it is for decisions with \"prediction\": \"statistics\"") }
    statistics = try path.map { (try ModelStatistics(path: $0), quadrature) }
  }

  /// Steps with the given decisions, and the statistics that they ask for.
  public init(decisions: UnifiedDecisions, statistics: ModelStatistics? = nil) {
    self.decisions = decisions
    self.statistics = statistics.map { ($0, .simpson) }
  }

  /// Another model than the one the statistics were taken from, where they say which.
  public func concerns(fingerprint: String, guidanceScale: Double?, accelerations: [String]) -> [String] {
    statistics?.0.concerns(fingerprint: fingerprint) ?? []
  }

  /// Puts the text of a file in the place of its path, so that a picture's settings repeat it without the file.
  public static func resolved(_ parameters: [String: String]) throws -> [String: String] {
    guard let text = parameters["decisions"] else { return parameters }
    var parameters = parameters
    parameters["decisions"] = try UnifiedDecisions(textOrPath: text).json
    return parameters
  }

  /// Number of Taylor terms of the one decision for all steps; 1 for decisions step by step, of which nothing is known in general.
  public var order: Int { decisions.every?.order ?? 1 }

  /// The levels the decisions were made for, if they name any.
  public func ownGrid(schedule: any NoiseSchedule) throws -> Grid? {
    try decisions.sigmas.map { try Grid(sigmas: $0, on: schedule) }
  }

  /// The decisions on the grid's levels.
  /// - Throws: ``TableauError`` when their numbers differ, or the decisions name other levels.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    if let own = try ownGrid(schedule: schedule) {
      let differs =
        own.levels.count != grid.levels.count
        || zip(own.levels, grid.levels).contains { abs($0.alpha - $1.alpha) + abs($0.sigma - $1.sigma) > 1e-9 * ($1.alpha + $1.sigma) }
      if differs {
        throw TableauError("usf has decisions for levels of its own ('sigmas'), which are not those of the \(grid.spacing) grid")
      }
    }
    return try decisions.plan(grid, solver: Self.name)
  }

  /// As the decisions say.
  public var skipsFirstEvaluation: Bool { decisions.firstEvaluation == .zero }
}
