public import QuickstepNN

/// A solver that chooses its steps by an estimate of their error. Everything it computes is in tables of one step; which step comes next is
/// the only thing that is not.
public protocol AdaptiveSolver: Solver {
  /// The tables of one step, of a lower and a higher order. Their first evaluations are the same.
  /// - Throws: what compiling throws.
  func tables(from: NoiseLevel, to: NoiseLevel, schedule: any NoiseSchedule) throws -> (lower: Tableau, higher: Tableau)
  /// Length of the first step in λ.
  var firstStep: Double { get }
  /// Length of the step after one of length `h` whose error was `error` tolerances.
  func nextStep(after h: Double, error: Double) -> Double
  /// The error that is allowed: the greater of `absolute` and `relative` times the state.
  var tolerance: (absolute: Double, relative: Double) { get }
  /// A run that needs more evaluations is given up.
  var evaluationLimit: Int { get }
}
