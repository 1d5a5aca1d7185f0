import Foundation
public import QuickstepDiffusion
import QuickstepNN

/// A method broke one of the laws of its family.
public struct LawViolation: Error, CustomStringConvertible {
  /// Which law, by whom, with the measured numbers.
  public let description: String
  /// Creates the violation from its message.
  public init(_ description: String) { self.description = description }
}

/// Laws that every solver obeys, whoever wrote it. Each checker throws ``LawViolation``.
public enum SolverLaws {
  /// The solver with every parameter that has a neutral value set to it.
  public static func neutral(_ type: any Solver.Type) throws -> any Solver {
    var texts: [String: String] = [:]
    for parameter in type.declaration.parameters { texts[parameter.name] = parameter.neutral?.description }
    return try type.init(ParameterValues(texts, for: type.declaration))
  }

  /// Measured order of convergence against the exact flow, by least squares over the given step counts.
  /// - Returns: the slope of −log(error) over log(steps).
  public static func measuredOrder(
    _ solver: any Solver, schedule: any NoiseSchedule, spacing: any Spacing, density: any ToyDensity, state: [Double],
    steps: [Int] = [40, 80, 160, 320]
  ) throws -> Double {
    var points: [(Double, Double)] = []
    for count in steps {
      let grid = try spacing.grid(schedule: schedule, steps: count)
      let table = try solver.compile(schedule: schedule, grid: grid)
      let exact = density.transported(state, from: grid.levels[0], to: grid.levels[count])
      let found = table.runScalar(state) { density.denoised($0, at: $1) }[count - 1]
      let error = zip(found, exact).map { abs($0 - $1) }.max() ?? 0
      points.append((log(Double(count)), -log(error)))
    }
    return slope(points)
  }

  /// The measured order of the neutral solver is within `tolerance` of the declared one. Of a solver that always adds noise it is the order
  /// in which mean and variance of normal data approach the exact ones.
  public static func checkOrder(
    _ type: any Solver.Type, schedule: any NoiseSchedule, spacing: any Spacing, density: any ToyDensity, state: [Double],
    tolerance: Double = 0.15
  ) throws {
    let solver = try neutral(type)
    let order =
      type.nature == .diffusion
      ? try momentOrder(solver, schedule: schedule, spacing: spacing)
      : try measuredOrder(solver, schedule: schedule, spacing: spacing, density: density, state: state)
    guard abs(order - Double(solver.order)) <= tolerance else {
      throw LawViolation("\(type.declaration.name) says it has order \(solver.order); measured \(order) on \(schedule.summary)")
    }
  }

  /// With standard parameters (noise included) mean and variance of normal data approach the exact marginal with at least first order.
  public static func checkMoments(_ type: any Solver.Type, schedule: any NoiseSchedule, spacing: any Spacing) throws {
    let order = try momentOrder(type.init(ParameterValues(for: type.declaration)), schedule: schedule, spacing: spacing)
    guard order >= 0.85 else {
      throw LawViolation("\(type.declaration.name): moments approach the exact ones with order \(order); at least 1 is needed")
    }
  }

  /// The order in which mean and variance approach those of N(0.7, 0.6²), in closed form: the weak order of solvers with noise.
  /// - Returns: the slope of −log(error) over log(steps), by least squares over the given step counts.
  public static func momentOrder(
    _ solver: any Solver, schedule: any NoiseSchedule, spacing: any Spacing, steps: [Int] = [40, 80, 160, 320]
  ) throws -> Double {
    let points = try steps.map { steps in
      let grid = try spacing.grid(schedule: schedule, steps: steps)
      let level = grid.levels[steps]
      let found = try solver.compile(schedule: schedule, grid: grid).moments(mean: 0.7, deviation: 0.6)
      let variance = level.alpha * level.alpha * 0.36 + level.sigma * level.sigma
      return (log(Double(steps)), -log(max(abs(found.mean - 0.7 * level.alpha), abs(found.variance - variance))))
    }
    return slope(points)
  }

  /// A model that always predicts c, started on its path without noise, stays on α·c: coefficients of every row add up as they must.
  public static func checkConsistency(_ solver: any Solver, name: String, schedule: any NoiseSchedule, grid: Grid) throws {
    let table = try solver.compile(schedule: schedule, grid: grid)
    let states = table.runScalar([grid.levels[0].alpha * 1.7]) { _, _ in [1.7] }
    // Large coefficients cancel (Heun's τ/τ' over a long step, slopes at little noise), and rounding grows with the product of two of them:
    // of the row that makes a slope and of the row that reads it.
    let largest = table.rows.flatMap(\.terms).map { abs($0.coefficient.scalar) }.max() ?? 1
    for (state, level) in zip(states, grid.levels.dropFirst()) where abs(state[0] - level.alpha * 1.7) > 1e-14 * max(100, largest * largest)
    {
      throw LawViolation("\(name) on \(grid.spacing), \(grid.steps) steps: constant prediction 1.7 gave \(state[0]) at α \(level.alpha)")
    }
  }

  /// Compiling is pure; the table visits the grid, survives serialisation bit for bit, and frees each register exactly once and in time.
  public static func checkTableau(_ solver: any Solver, name: String, schedule: any NoiseSchedule, grid: Grid) throws {
    let table = try solver.compile(schedule: schedule, grid: grid)
    try table.validate()
    guard table == (try solver.compile(schedule: schedule, grid: grid)) else {
      throw LawViolation("\(name) compiles differently each time")
    }
    guard table.stepLevels == grid.levels else { throw LawViolation("\(name) does not visit the levels of its grid") }
    let copy = try JSONDecoder().decode(Tableau.self, from: JSONEncoder().encode(table))
    guard copy == table else { throw LawViolation("\(name): the table changes when it is written and read back") }
    try checkReleases(table, name)
    for steps in 1...grid.steps { try table.prefix(steps: steps).validate() }
  }

  private static func checkReleases(_ table: Tableau, _ name: String) throws {
    var released: Set<Register> = []
    for (index, (row, releases)) in zip(table.rows, table.releases).enumerated() {
      let reads = Set(row.terms.map(\.register) + (row.evaluation.map { [.state($0.state)] } ?? []))
      guard released.isDisjoint(with: reads) else { throw LawViolation("\(name): row \(index) reads a register that was let go") }
      guard released.isDisjoint(with: releases) else { throw LawViolation("\(name): row \(index) lets go of a register twice") }
      released.formUnion(releases)
    }
    let made = table.rows.count + table.evaluationCount + table.noiseCount
    guard released.count == made else {
      throw LawViolation("\(name): \(made) registers besides the result, \(released.count) of them let go")
    }
  }

  /// Least squares through (x, y) points.
  public static func slope(_ points: [(Double, Double)]) -> Double {
    let count = Double(points.count)
    let meanX = points.reduce(0) { $0 + $1.0 } / count
    let meanY = points.reduce(0) { $0 + $1.1 } / count
    let covariance = points.reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
    return covariance / points.reduce(0) { $0 + ($1.0 - meanX) * ($1.0 - meanX) }
  }
}
