/// A solver whose levels and coefficients were fitted to one model beforehand and are read from a file. It brings its own grid: spacings and
/// numbers of steps have no say.
public protocol FittedSolver: Solver {
  /// The levels it was fitted to.
  /// - Throws: ``TableauError`` when it was given no plan, or the plan was made for another schedule.
  func grid(on schedule: any NoiseSchedule) throws -> Grid
}

extension FittedSolver {
  /// The levels it was fitted to.
  /// - Throws: what ``grid(on:)`` throws.
  public func ownGrid(schedule: any NoiseSchedule) throws -> Grid? { try grid(on: schedule) }
}
