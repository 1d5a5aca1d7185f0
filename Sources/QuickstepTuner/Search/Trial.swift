/// What evaluating a candidate gave.
public struct Outcome: Codable, Sendable, Hashable {
  /// All minimised, all finite, in the order of the problem.
  public var objectives: [Double]
  /// How far from allowed; 0 is feasible. Not negative.
  public var violation: Double
  /// Whatever else was measured, for reports.
  public var attributes: [String: Double]

  /// - Parameters:
  ///   - objectives: all minimised.
  ///   - violation: how far from allowed; 0 is feasible.
  ///   - attributes: whatever else was measured.
  public init(objectives: [Double], violation: Double = 0, attributes: [String: Double] = [:]) {
    self.objectives = objectives
    self.violation = violation
    self.attributes = attributes
  }

  /// What is wrong with the numbers, in words; `nil` where nothing is.
  func fault(objectives count: Int) -> String? {
    if objectives.count != count { return "\(objectives.count) objectives instead of \(count)" }
    if let bad = objectives.first(where: { !$0.isFinite }) { return "an objective is \(bad)" }
    if !(violation >= 0 && violation.isFinite) { return "the violation is \(violation)" }
    if let bad = attributes.first(where: { !$0.value.isFinite }) { return "'\(bad.key)' is \(bad.value)" }
    return nil
  }
}

/// What a searcher wants to know.
public struct Proposal: Sendable, Hashable, Codable {
  /// Canonical and within the space.
  public var candidate: Candidate
  /// Share of the full effort with which it is to be evaluated, above 0 and up to 1: fewer prompts, fewer seeds.
  public var fidelity: Double
  /// Generation, stage or rung of the searcher it belongs to.
  public var generation: Int

  /// - Parameters:
  ///   - candidate: canonical and within the space.
  ///   - fidelity: share of the full effort.
  ///   - generation: which of the searcher's rounds it belongs to.
  public init(_ candidate: Candidate, fidelity: Double = 1, generation: Int = 0) {
    self.candidate = candidate
    self.fidelity = fidelity
    self.generation = generation
  }
}

/// One evaluation, as it is kept and as searchers are told.
public struct Trial: Codable, Sendable, Hashable {
  /// Where a trial comes from.
  public struct Origin: Codable, Sendable, Hashable {
    /// Name of the searcher.
    public var searcher: String
    /// Which of its rounds.
    public var generation: Int
    /// Who proposed the trial, and in which round.
    public init(searcher: String, generation: Int) { (self.searcher, self.generation) = (searcher, generation) }
  }

  /// Counts a run's proposals from 0.
  public var id: Int
  /// Canonical and within the space.
  public var candidate: Candidate
  /// What was measured; `nil` where the evaluation failed.
  public var outcome: Outcome?
  /// Why it failed.
  public var failure: String?
  /// Who proposed it.
  public var origin: Origin
  /// Wall time of the evaluation; 0 where an equal one was known.
  public var seconds: Double
  /// Share of the full effort, above 0 and up to 1.
  public var fidelity: Double

  /// - Parameters:
  ///   - id: counts a run's proposals from 0.
  ///   - proposal: what was evaluated.
  ///   - searcher: name of who proposed it.
  ///   - outcome: what was measured; `nil` where the evaluation failed.
  ///   - failure: why it failed.
  ///   - seconds: wall time of the evaluation.
  public init(
    id: Int, proposal: Proposal, searcher: String, outcome: Outcome?, failure: String? = nil, seconds: Double = 0
  ) {
    self.id = id
    candidate = proposal.candidate
    self.outcome = outcome
    self.failure = failure
    origin = Origin(searcher: searcher, generation: proposal.generation)
    self.seconds = seconds
    fidelity = proposal.fidelity
  }

  /// What was asked.
  public var proposal: Proposal { Proposal(candidate, fidelity: fidelity, generation: origin.generation) }
  /// Whether it was measured and is allowed.
  public var isFeasible: Bool { outcome.map { $0.violation == 0 } ?? false }
}
