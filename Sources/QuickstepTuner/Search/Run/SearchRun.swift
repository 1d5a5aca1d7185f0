internal import Foundation
internal import QuickstepNN

/// Drives a searcher over a problem and keeps everything in an archive.
///
/// The calls to the searcher depend on nothing but outcomes: it is told one trial after the other in the order in which they were proposed, and
/// after each one it is asked for as many as the window has room for. So the number of trials at once and their times change nothing, and a
/// killed run goes on where it was: the same calls are made again, with outcomes from the archive.
///
/// Several processes may run the same search on one archive; each trial is evaluated by one of them, and told by all.
public struct SearchRun: Sendable {
  /// How to search.
  public struct Settings: Sendable {
    /// Name of the searcher.
    public var searcher: String
    /// Its parameters, as texts.
    public var parameters: [String: String]
    /// Seed of the searcher.
    public var seed: UInt64
    /// Seconds for one call of ``SearchRun/execute(progress:)``; not limited where it is `nil`.
    public var budget: Double?
    /// Trials of the whole run, resumed ones included; not limited where it is `nil`.
    public var trialLimit: Int?
    /// Evaluations at once.
    public var concurrency: Int
    /// How many proposals may be open at once; ``concurrency`` where it is `nil`. An archived run keeps its own.
    public var window: Int?
    /// So many failures at the very beginning, and the search gives up.
    public var failureLimit: Int
    /// Seconds after which the claim of a process that does not answer is void.
    public var lease: Double

    /// See the properties.
    public init(
      searcher: String = "nsga-2", parameters: [String: String] = [:], seed: UInt64 = 0, budget: Double? = nil, trialLimit: Int? = nil,
      concurrency: Int = 1, window: Int? = nil, failureLimit: Int = 5, lease: Double = 60
    ) {
      self.searcher = searcher
      self.parameters = parameters
      self.seed = seed
      self.budget = budget
      self.trialLimit = trialLimit
      self.concurrency = concurrency
      self.window = window
      self.failureLimit = failureLimit
      self.lease = lease
    }
  }

  let problem: any SearchProblem
  let archive: TrialArchive
  let settings: Settings
  let clock: any SearchClock
  /// The searcher before it was asked anything.
  let searcher: any Searcher
  /// The archive's books for this search.
  public let run: ArchivedRun

  /// - Parameters:
  ///   - problem: what is searched.
  ///   - archive: of this problem.
  ///   - settings: how to search.
  ///   - clock: where the budget's seconds come from.
  /// - Throws: what the searcher or the archive throws; ``SearchError`` for impossible settings.
  public init(
    problem: any SearchProblem, archive: TrialArchive, settings: Settings, clock: any SearchClock = SystemClock()
  ) throws {
    func need(_ isFine: Bool, _ message: @autoclosure () -> String) throws { if !isFine { throw SearchError(message()) } }
    try need(settings.concurrency >= 1, "\(settings.concurrency) evaluations at once; at least 1 is needed")
    try need(settings.window.map { $0 >= 1 } ?? true, "a window of \(settings.window ?? 0) proposals; at least 1 is needed")
    try need(settings.budget.map { $0 > 0 && $0.isFinite } ?? true, "a budget of \(settings.budget ?? 0) s; it has to be positive")
    try need(settings.trialLimit.map { $0 >= 1 } ?? true, "\(settings.trialLimit ?? 0) trials; at least 1 is needed")
    try need(settings.lease > 0, "a lease of \(settings.lease) s; it has to be positive")
    try need(
      archive.space.genes == problem.space.genes && archive.objectives == problem.objectives,
      "\(archive.path): is an archive of another problem")
    let type = try AllSearchers.named(settings.searcher)
    let parameters = try ParameterValues(settings.parameters, for: type.declaration)
    searcher = try AllSearchers.make(
      settings.searcher, settings.parameters, space: problem.space, objectives: problem.objectives.count, seed: settings.seed)
    run = try archive.run(
      searcher: type.declaration.name, parameters: parameters, seed: settings.seed, known: problem.space.known,
      window: settings.window ?? settings.concurrency)
    self.problem = problem
    self.archive = archive
    self.settings = settings
    self.clock = clock
  }

  /// Searches until the searcher is finished, the budget is used up, enough trials are made or the task is cancelled.
  ///
  /// No trial is begun that is not expected to end within the budget, by the slowest of the last trials or the problem's own figures. A
  /// cancelled search waits for evaluations to return and keeps what they measured; it returns and does not throw.
  /// - Parameter progress: called after every trial that was told, from the task of the call.
  /// - Throws: `FormatError` from the archive; ``SearchError`` when a budget does not suffice for the first trial, when all trials fail from
  ///   the beginning on, or when the archive holds other candidates than this searcher proposes; what the searcher throws. Trials
  ///   recorded before are kept.
  public func execute(progress: @Sendable (SearchProgress) -> Void = { _ in }) async throws -> SearchReport {
    var loop = SearchLoop(self)
    return try await loop.execute(progress)
  }
}
