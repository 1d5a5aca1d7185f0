/// What is searched: a space, and how a point of it is measured.
public protocol SearchProblem: Sendable {
  /// What to choose from.
  var space: SearchSpace { get }
  /// Names of the objectives, all minimised, at least one.
  var objectives: [String] { get }
  /// Whatever outcomes depend on beside the candidate: checksum of the model, prompts, machine. An archive made for another identity is refused.
  var identity: String { get }

  /// Measures a candidate.
  /// - Parameters:
  ///   - candidate: canonical and within the space.
  ///   - fidelity: share of the full effort, above 0 and up to 1.
  /// - Throws: `CancellationError` where the task was cancelled; the trial is then forgotten. Any other error makes a failed trial.
  func evaluate(_ candidate: Candidate, fidelity: Double) async throws -> Outcome

  /// How long an evaluation will take, in seconds, where that is known beforehand; `nil` leaves it to the times measured so far.
  func expectedSeconds(_ candidate: Candidate, fidelity: Double) -> Double?
}

extension SearchProblem {
  public func expectedSeconds(_ candidate: Candidate, fidelity: Double) -> Double? { nil }
}
