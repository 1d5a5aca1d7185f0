internal import Foundation
internal import QuickstepDiffusion
internal import QuickstepNN

/// Runs whose levels turn up on the way.
extension ResolvedRequest {
  /// The spacing of runs from the states of chains, as in the authors' program.
  private static let standardSpacing = "karras"
  /// σ/α at which a run is checked before any state is known: EDM's greatest.
  private static let probe = 80.0

  /// What cannot be asked of pictures that come from chains.
  static func checkWalk(_ request: GenerationRequest, _ name: String) throws {
    func refuse(_ holds: Bool, _ what: String) throws {
      if holds { throw GenerationError("'\(name)' makes pictures from the states of chains, which have no \(what); leave it out") }
    }
    try refuse(request.recordsTrajectory, "trajectory of one run to be recorded")
    try refuse(!request.given.isEmpty, "initial noise or encoded prompts from a file")
    try refuse(request.guidanceInterval != 0...1, "fraction of the steps: the guidance interval has no meaning")
    try refuse(request.span != 0...1, "part that another model could do")
    try refuse(!request.accelerations.isEmpty, "run that methods of acceleration could plan")
    try refuse(!request.observers.isEmpty, "run that could be watched")
  }

  static func walkedLevels(
    _ request: GenerationRequest, match: AllSolvers.Match, solver: any Solver, schedule: any NoiseSchedule, steps: Int
  ) throws -> (grid: Grid, spacing: String, parameters: [String: String], warnings: [String]) {
    let found = try AllGrids.match(request.spacing ?? match.alias?.spacing ?? standardSpacing)
    let name = found.spacing.declaration.name
    let parameters = found.parameters(request.spacingParameters)
    let unable = "the grid '\(name)' cannot begin at the noise that a chain's state happens to have"
    guard let begin = found.spacing.declaration.parameters.first(where: { $0.name == "sigma-max" }) else {
      let able = AllGrids.all.filter { $0.declaration.parameters.contains { $0.name == "sigma-max" } }.map { $0.declaration.name }
      throw GenerationError("\(unable); use \(able.joined(separator: ", "))")
    }
    if let condition = begin.condition, let value = parameters[condition.parameter], !condition.values.contains(value) {
      throw GenerationError("\(unable) with \(condition.parameter)=\(value); use \(condition.parameter)=\(condition.values[0])")
    }
    guard request.spacingParameters["sigma-max"] == nil else {
      throw GenerationError("'sigma-max' has no effect on runs from the states of chains, which bring it along; leave it out")
    }
    guard request.spacingParameters["sigma-min"] == nil else {
      throw GenerationError("'sigma-min' may be above the noise that a chain's state happens to have; leave it out")
    }
    let grid = try Self.grid(from: probe, schedule: schedule, spacing: name, parameters: parameters, steps: steps)
    // Solvers that take no such grid are found out before any work is done.
    _ = try DenoisingChains.tableau(from: [probe], solver: solver, schedule: schedule) { _ in grid }
    return (grid, name, parameters, [])
  }

  /// The levels from a σ/α down to the end of the run.
  func grid(from sigma: Double) throws -> Grid {
    try Self.grid(from: sigma, schedule: schedule, spacing: spacingName, parameters: spacingParameters, steps: grid.steps)
  }

  private static func grid(
    from sigma: Double, schedule: any NoiseSchedule, spacing: String, parameters: [String: String], steps: Int
  ) throws -> Grid {
    let coordinate = try schedule.frame.coordinate(schedule.level(lambda: -log(sigma)))
    var ends = ["sigma-max": "\(coordinate)"]
    // A state may hold less noise than was ever trained; its levels are those of its last octave then.
    let takesLeast = try AllGrids.named(spacing).declaration.parameters.contains { $0.name == "sigma-min" }
    if takesLeast, try coordinate <= schedule.frame.coordinate(schedule.smallest()) { ends["sigma-min"] = "\(coordinate / 2)" }
    return try AllGrids.make(spacing, parameters.merging(ends) { $1 }).grid(schedule: schedule, steps: steps)
  }
}
