public import QuickstepDiffusion
import QuickstepNN

/// Errors of solvers on normal data N(μ, d²), in closed form: every table is an affine map of the start and of its noises, so the result is
/// normal as well, and its distance to the exact marginal is a number and not a sample.
public struct GaussianConvergence: Sendable {
  /// Mean of the data.
  public var mean = 0.7
  /// Standard deviation of the data.
  public var deviation = 0.6
  /// The forward process.
  public var schedule: any NoiseSchedule
  /// The spacing of the levels.
  public var spacing: any Spacing

  /// - Parameters:
  ///   - schedule: the forward process.
  ///   - spacing: the spacing of the levels.
  public init(schedule: any NoiseSchedule, spacing: any Spacing) { (self.schedule, self.spacing) = (schedule, spacing) }

  /// Evaluations and the Wasserstein-2 distance √(Δmean² + Δdeviation²) to the exact marginal at the end of the grid.
  ///
  /// A solver that brings its own levels is measured on those; ``spacing`` and `steps` have no say then.
  /// - Parameters:
  ///   - solver: what is measured.
  ///   - steps: of the grid, 1 and above.
  /// - Throws: what grid and solver throw.
  public func point(_ solver: any Solver, steps: Int) throws -> (work: Double, error: Double) {
    let grid = try solver.ownGrid(schedule: schedule) ?? spacing.grid(schedule: schedule, steps: steps)
    let table = try solver.compile(schedule: schedule, grid: grid)
    let found = table.moments(mean: mean, deviation: deviation)
    let end = grid.levels[grid.steps]
    let exact = (end.alpha * end.alpha * deviation * deviation + end.sigma * end.sigma).squareRoot()
    let (offMean, offDeviation) = (found.mean - end.alpha * mean, max(0, found.variance).squareRoot() - exact)
    return (Double(table.evaluationCount), (offMean * offMean + offDeviation * offDeviation).squareRoot())
  }
}
