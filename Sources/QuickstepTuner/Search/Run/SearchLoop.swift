internal import Foundation
internal import QuickstepFormats

/// One call of ``SearchRun/execute(progress:)``.
struct SearchLoop {
  private enum Event: Sendable {
    case evaluated(id: Int, Result<Outcome, any Error>, seconds: Double)
    /// Time to look what other processes have recorded.
    case polled
  }
  private typealias Group = ThrowingTaskGroup<Event, any Error>

  private let search: SearchRun
  private let begin: Double
  private var ledger: SearchLedger
  private var archived: [Int: Trial] = [:]
  private var times = TrialTimes()
  private var stop: SearchReport.Stop?
  private var resumed = 0
  private var running = 0
  private var isPolling = false

  init(_ search: SearchRun) {
    self.search = search
    begin = search.clock.now
    ledger = SearchLedger(search.searcher, window: search.run.window)
  }

  private var elapsed: Double { search.clock.now - begin }

  mutating func execute(_ progress: @Sendable (SearchProgress) -> Void) async throws -> SearchReport {
    for trial in try search.archive.trials(run: search.run.id) { archived[trial.id] = trial }
    try await withThrowingTaskGroup(of: Event.self) { group in
      do {
        try await loop(&group, progress)
      } catch {
        group.cancelAll()
        // What still comes in is kept where it can be; the first error is the one to tell.
        while let event = try? await group.next() { try? handle(event) }
        throw error
      }
    }
    return SearchReport(stop: stop ?? .finished, trials: ledger.told, front: ledger.front, resumed: resumed, seconds: elapsed)
  }

  private mutating func loop(_ group: inout Group, _ progress: @Sendable (SearchProgress) -> Void) async throws {
    while true {
      if stop == nil, Task.isCancelled { stop = .cancelled }
      if stop == nil, let limit = search.settings.trialLimit, ledger.told.count >= limit { stop = .trials }
      if stop == nil { try ledger.fill() }
      if let (trial, improved) = ledger.tellNext() {
        try checkFailures()
        progress(report(trial, improved))
        continue
      }
      if stop == nil { try start(&group) }
      if ledger.open.first?.isRecorded == true { continue }
      if running == 0, stop != nil || !isPolling { break }
      guard let event = try await group.next() else { break }
      try handle(event)
    }
    group.cancelAll()
    guard stop == nil, !ledger.searcher.isFinished || !ledger.open.isEmpty else { return }
    throw SearchError("the searcher '\(ledger.name)' neither proposes anything nor is it finished")
  }

  /// Starts what may be evaluated now, in order.
  private mutating func start(_ group: inout Group) throws {
    var waits = false
    for index in ledger.open.indices where !ledger.open[index].isRecorded && !ledger.open[index].isRunning {
      let entry = ledger.open[index]
      if let limit = search.settings.trialLimit, entry.id >= limit { break }
      if let trial = archived.removeValue(forKey: entry.id) {
        try accept(trial, at: index)
        resumed += 1
      } else if let trial = entry.trial {
        try accept(search.archive.record(trial, run: search.run.id), at: index)
      } else {
        guard running < search.settings.concurrency else { break }
        guard try fits(entry.proposal) else { return }
        switch try search.archive.claim(run: search.run.id, id: entry.id, lease: search.settings.lease) {
        case .granted:
          ledger.open[index].isRunning = true
          running += 1
          evaluate(entry, &group)
        case .finished(let trial): try accept(trial, at: index)
        case .taken: waits = true
        }
      }
    }
    guard waits, !isPolling else { return }
    isPolling = true
    group.addTask {
      try? await Task.sleep(for: .milliseconds(50))
      return .polled
    }
  }

  /// Whether there is time for a trial; otherwise the search stops.
  private mutating func fits(_ proposal: Proposal) throws -> Bool {
    guard let budget = search.settings.budget else { return true }
    let expected = times.seconds(
      proposal, expected: search.problem.expectedSeconds(proposal.candidate, fidelity: proposal.fidelity))
    let elapsed = elapsed
    if elapsed < budget, elapsed + (expected ?? 0) <= budget { return true }
    if running == 0, ledger.told.isEmpty, let expected {
      throw SearchError("a budget of \(budget) s is too small for one evaluation, which takes about \(Float(expected)) s")
    }
    stop = .budget
    return false
  }

  private func evaluate(_ entry: SearchLedger.Open, _ group: inout Group) {
    let search = search
    group.addTask {
      let lease = Task {
        while !Task.isCancelled {
          try await Task.sleep(for: .seconds(search.settings.lease / 3))
          try search.archive.renew(run: search.run.id, id: entry.id, lease: search.settings.lease)
        }
      }
      defer { lease.cancel() }
      let begin = search.clock.now
      let result: Result<Outcome, any Error>
      do {
        result = .success(try await search.problem.evaluate(entry.proposal.candidate, fidelity: entry.proposal.fidelity))
      } catch {
        result = .failure(error)
      }
      return .evaluated(id: entry.id, result, seconds: search.clock.now - begin)
    }
  }

  private mutating func handle(_ event: Event) throws {
    guard case .evaluated(let id, let result, let seconds) = event else {
      isPolling = false
      return
    }
    running -= 1
    guard let index = ledger.open.firstIndex(where: { $0.id == id }) else { return }
    ledger.open[index].isRunning = false
    if case .failure(let error) = result, error is CancellationError {
      stop = .cancelled
      return try search.archive.release(run: search.run.id, id: id)
    }
    let trial = Trial(
      id: id, proposal: ledger.open[index].proposal, searcher: ledger.name, result, objectives: search.problem.objectives.count,
      seconds: seconds)
    try accept(search.archive.record(trial, run: search.run.id), at: index)
  }

  /// Takes over what the archive holds for a proposal.
  private mutating func accept(_ trial: Trial, at index: Int) throws {
    let entry = ledger.open[index]
    guard trial.candidate == entry.proposal.candidate, trial.fidelity == entry.proposal.fidelity else {
      throw SearchError(
        "\(search.archive.path): trial \(entry.id) is not what the searcher '\(ledger.name)' proposes; the archive was made by another version of "
          + "it. Give another seed to begin a new run in the same archive")
    }
    times.add(trial, expected: search.problem.expectedSeconds(trial.candidate, fidelity: trial.fidelity))
    ledger.open[index].trial = trial
    ledger.open[index].isRecorded = true
  }

  private func checkFailures() throws {
    guard ledger.failures == ledger.told.count, ledger.failures >= search.settings.failureLimit else { return }
    let reason = ledger.told.last?.failure ?? "unknown"
    // Otherwise a search that is resumed after its cause was removed would fail by its memory of it.
    try search.archive.forget(ledger.told.map(\.id), run: search.run.id)
    throw SearchError("the first \(ledger.failures) evaluations all failed, the last one with: \(reason)")
  }

  private func report(_ trial: Trial, _ improved: Bool) -> SearchProgress {
    SearchProgress(
      told: ledger.told.count, resumed: resumed, failures: ledger.failures, running: running, seconds: elapsed,
      budget: search.settings.budget,
      frontSize: ledger.front.count, latest: trial, improved: improved)
  }
}

extension Trial {
  /// What an evaluation came to; numbers that cannot be are a failure.
  fileprivate init(
    id: Int, proposal: Proposal, searcher: String, _ result: Result<Outcome, any Error>, objectives: Int, seconds: Double
  ) {
    switch result {
    case .success(let outcome):
      let fault = outcome.fault(objectives: objectives)
      self.init(
        id: id, proposal: proposal, searcher: searcher, outcome: fault == nil ? outcome : nil, failure: fault, seconds: seconds)
    case .failure(let error):
      self.init(id: id, proposal: proposal, searcher: searcher, outcome: nil, failure: "\(error)", seconds: seconds)
    }
  }
}
