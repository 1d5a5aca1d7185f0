public import QuickstepNN

/// Writes a tableau line by line, so that a solver reads like its formula.
///
///     var table = TableauBuilder(solver: "ddim", grid: grid)
///     var x = table.initial
///     for (from, to) in zip(grid.levels, grid.levels.dropFirst()) {
///       let m = table.evaluate(x, at: from)
///       x = table.combine([(x, to.sigma / from.sigma), (m, ...)], to: to)
///     }
///     return try table.build()
public struct TableauBuilder {
  private let solver: String
  private let initialLevel: NoiseLevel
  private var rows: [Tableau.Row] = []
  private var pending: Tableau.Evaluation?
  private var step = 0
  private var evaluations = 0
  private var noises = 0
  private var problem: String?

  /// - Parameters:
  ///   - solver: name for messages.
  ///   - grid: its first level is the initial state's.
  public init(solver: String, grid: Grid) {
    self.solver = solver
    initialLevel = grid.levels[0]
  }

  /// The initial state, x0.
  public var initial: Register { .state(0) }

  /// Calls the model on a state at a level; the call is part of the next row.
  /// - Returns: the register of its x̂0.
  public mutating func evaluate(_ state: Register, at level: NoiseLevel) -> Register {
    guard case .state(let index) = state else {
      problem = problem ?? "evaluates \(state), which is not a state"
      return .denoised(evaluations)
    }
    if pending != nil { problem = problem ?? "evaluates twice before it combines" }
    pending = Tableau.Evaluation(state: index, level: level)
    evaluations += 1
    return .denoised(evaluations - 1)
  }

  /// Makes a new state.
  /// - Parameters:
  ///   - terms: what is added up, in order. Terms whose coefficient is 0 are left out, so that a neutral parameter gives the very table of
  ///     the method without it.
  ///   - noise: coefficient of a fresh standard normal draw; 0 draws none.
  ///   - level: the level of the new state.
  ///   - finishing: whether it is the result of the step.
  /// - Returns: the register of the new state.
  @discardableResult
  public mutating func combine(
    _ terms: [(Register, Double)], noise: Double = 0, to level: NoiseLevel, finishing: Bool = true
  ) -> Register {
    var kept = terms.filter { $0.1 != 0 }.map { Tableau.Term($0.0, Coefficient($0.1)) }
    if noise != 0 {
      kept.append(Tableau.Term(.noise(noises), Coefficient(noise)))
      noises += 1
    }
    rows.append(Tableau.Row(step: step, evaluation: pending, terms: kept, level: level, finishesStep: finishing))
    pending = nil
    if finishing { step += 1 }
    return .state(rows.count)
  }

  /// Makes a new state by coefficients that differ from element to element.
  @discardableResult
  mutating func combine(_ form: ElementForm, to level: NoiseLevel, finishing: Bool = true) -> Register {
    let terms = form.terms.compactMap { term -> Tableau.Term? in
      guard let field = try? Coefficient.Field(shape: form.shape, values: term.coefficients) else { return nil }
      let coefficient = Coefficient(field)
      return coefficient.field == nil && coefficient.scalar == 0 ? nil : Tableau.Term(term.register, coefficient)
    }
    rows.append(Tableau.Row(step: step, evaluation: pending, terms: terms, level: level, finishesStep: finishing))
    pending = nil
    if finishing { step += 1 }
    return .state(rows.count)
  }

  /// The finished table.
  /// - Throws: ``TableauError`` when a rule is broken.
  public func build() throws -> Tableau {
    if let problem { throw TableauError("solver '\(solver)' \(problem)") }
    if pending != nil { throw TableauError("solver '\(solver)' evaluates once more after its last row") }
    return try Tableau(solver: solver, stepCount: step, initialLevel: initialLevel, rows: rows)
  }
}
