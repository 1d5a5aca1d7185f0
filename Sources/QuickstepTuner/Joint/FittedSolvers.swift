import Foundation
import QuickstepDiffusion
import QuickstepNN
public import QuickstepPipelines

/// Solvers that have to be fitted to a model before they can be tried, fitted to the run that is tuned: OLSS's search for levels and weights
/// (arXiv 2305.14677), for several numbers of evaluations from the same full runs.
public struct FittedSolvers: Sendable, Hashable, Codable {
  /// Texts of `olss` plans by their evaluations.
  public private(set) var plans: [Int: String] = [:]
  /// The solver's name.
  static let solver = OLSS.declaration.name

  /// None.
  public init() {}

  /// The plan that stands for a number of steps: of the fitted numbers the largest one not above it, or the smallest.
  func plan(steps: Int) -> (steps: Int, text: String)? {
    let count = plans.keys.filter { $0 <= steps }.max() ?? plans.keys.min()
    return count.flatMap { count in plans[count].map { (count, $0) } }
  }

  /// Numbers of evaluations that are fitted: densely where a run is short.
  static func counts(_ range: ClosedRange<Int>) -> [Int] {
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20].filter { range.contains($0) }
  }

  /// Fits to exact runs.
  /// - Parameters:
  ///   - request: the exact run, with the prompts and seeds that are fitted to.
  ///   - leastSteps: the fewest evaluations.
  /// - Returns: `nil` where the exact run's solver is none that evaluates once per step without noise, which the method needs.
  /// - Throws: what generating throws.
  public init?(_ model: LoadedModel, request: GenerationRequest, leastSteps: Int) throws {
    let steps = request.steps ?? model.defaults.steps
    let table = try ImagePipeline(model).tableau(of: request)
    guard table.noiseCount == 0, table.evaluationCount == steps, request.spacing == nil, request.solverParameters.isEmpty,
      steps > leastSteps
    else { return nil }
    var calibration = OLSSCalibration(request, steps: leastSteps)
    (calibration.teacher, calibration.teacherSteps) = (request.solver ?? model.defaults.solver, steps)
    calibration.batch = 4
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let counts = Self.counts(leastSteps...(steps - 1))
    for (count, plan) in zip(counts, try calibration.fit(model, steps: counts)) {
      plans[count] = String(decoding: try encoder.encode(plan), as: UTF8.self)
    }
  }
}
