import QuickstepNN

/// The solver that a method goes on top of, named in one of its parameters.
enum BaseSolver {
  static func parameter(standard: String) -> ParameterDeclaration {
    ParameterDeclaration(
      name: "base", summary: "The solver it goes on top of.",
      domain: .text("a solver of exponential steps, perhaps with parameters: dpm++-2m, dpm++-2m:variant=taylor;euler-at-final=true"),
      standard: .text(standard))
  }

  /// Reads `name` or `name:parameter=value;parameter=value`.
  /// - Throws: ``UnknownMethodError``, `ParameterError`; the latter also for a solver that is no list of exponential steps.
  static func read(_ values: ParameterValues, for solver: String) throws -> any PlannedSolver {
    let text = values.text("base") ?? ""
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    var parameters: [String: String] = [:]
    for pair in parts.count == 2 ? parts[1].split(separator: ";") : [] {
      let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
      guard sides.count == 2 else {
        throw ParameterError("'\(pair)' in the base '\(text)' of \(solver) is not of the form parameter=value")
      }
      parameters[sides[0]] = sides[1]
    }
    let base = try AllSolvers.make(parts.first ?? "", parameters)
    guard let planned = base as? any PlannedSolver, !(base is any AdaptiveSolver) else {
      let known = AllSolvers.all.filter { $0 is any PlannedSolver.Type && !($0 is any AdaptiveSolver.Type) }.map { $0.declaration.name }
      throw ParameterError(
        "\(solver) cannot go on top of '\(text)', which is no list of exponential steps that is known beforehand; allowed: \(known.joined(separator: ", "))"
      )
    }
    return planned
  }
}

extension DDIM: PlannedSolver {
  /// First-order steps.
  /// - Throws: ``TableauError`` where η is not 0: its noise is not that of exponential steps.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    guard eta == 0 else { throw TableauError("ddim with eta \(eta) is no list of exponential steps; allowed: eta 0") }
    return grid.levels.dropFirst().map { PlannedStep(to: $0, UnifiedStep()) }
  }
}

extension Euler: PlannedSolver {
  /// First-order steps.
  /// - Throws: ``TableauError`` where noise is added before the steps: they begin at levels that are none of the grid's then.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    guard churn.amount == 0 else {
      throw TableauError("euler with s-churn \(churn.amount) is no list of exponential steps; allowed: s-churn 0")
    }
    return grid.levels.dropFirst().map { PlannedStep(to: $0, UnifiedStep()) }
  }
}
