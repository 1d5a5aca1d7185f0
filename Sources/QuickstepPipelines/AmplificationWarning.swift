import Foundation
import QuickstepDiffusion
import QuickstepNN

/// Says so when a solver multiplies what the network errs on the grid it is to run, and what would help.
enum AmplificationWarning {
  /// - Parameters:
  ///   - table: of the run.
  ///   - solver: the solver's type and parameters.
  ///   - grid: the levels that are run.
  /// - Returns: `nil` where nothing is to be said.
  static func text(
    _ table: Tableau, _ solver: any Solver.Type, _ parameters: [String: String], schedule: any NoiseSchedule, grid: Grid
  ) -> String? {
    // Where an evaluation has been left to other means the table is not what is run.
    guard !(solver is any AdaptiveSolver.Type) else { return nil }
    guard let found = table.amplification, found.factor > Amplification.limit else { return nil }
    let name = solver.declaration.name
    let first = grid.levels[0]
    let start = first.alpha > 0 ? String(format: "σ/α %.3g", first.sigma / first.alpha) : "pure noise"
    let moved = found.target.map { "the state of evaluation \($0)" } ?? "the final state"
    let helps = remedy(solver, parameters, schedule, grid)
    return
      "'\(name)' multiplies errors on this grid, which begins at \(start): what the network errs in evaluation \(found.source) moves "
      + "\(moved) by \(String(format: "%.3g", found.factor)) times as much (up to \(Int(Amplification.limit)) has been seen to work); "
      + (helps.map { "use \(name):\($0), " } ?? "")
      + "begin at less noise (such as --grid karras:sigma-max=40) or take more steps, or another solver"
  }

  /// The choice among the solver's own parameters, one at a time, that keeps errors smallest, if any keeps them small.
  private static func remedy(
    _ solver: any Solver.Type, _ parameters: [String: String], _ schedule: any NoiseSchedule, _ grid: Grid
  ) -> String? {
    let found = solver.declaration.parameters.flatMap { parameter -> [(text: String, factor: Double)] in
      guard case .choice(let values) = parameter.domain else { return [] }
      return values.filter { $0 != parameters[parameter.name] }.compactMap { value in
        let changed = parameters.merging([parameter.name: value]) { $1 }
        guard let other = try? solver.init(changed), let found = try? other.compile(schedule: schedule, grid: grid).amplification else {
          return nil
        }
        return ("\(parameter.name)=\(value)", found.factor)
      }
    }
    return found.filter { $0.factor <= Amplification.limit }.min { $0.factor < $1.factor }?.text
  }
}
