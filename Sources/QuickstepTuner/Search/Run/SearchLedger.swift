internal import QuickstepNN

/// The books of a search: what was proposed and what came of it. Nothing in here depends on times.
struct SearchLedger {
  /// A proposal that has not been told.
  struct Open {
    var id: Int
    var proposal: Proposal
    /// What is known of it: recorded, evaluated, or equal to one that had been told when it was proposed.
    var trial: Trial?
    /// Whether `trial` is in the archive.
    var isRecorded = false
    /// Whether it is being evaluated here.
    var isRunning = false
  }

  private(set) var searcher: any Searcher
  let window: Int
  let name: String
  /// In order of proposal; all before the first have been told.
  var open: [Open] = []
  private(set) var told: [Trial] = []
  private(set) var front: [Trial] = []
  private(set) var failures = 0
  /// Nothing more will come before something is told.
  private var isWaiting = false
  private var outcomes: [Key: Trial] = [:]

  private struct Key: Hashable {
    var candidate: Candidate
    var fidelity: Double
  }

  init(_ searcher: any Searcher, window: Int) {
    self.searcher = searcher
    self.window = window
    name = type(of: searcher).declaration.name
  }

  /// Asks for as many proposals as the window has room for.
  mutating func fill() throws {
    while !isWaiting, open.count < window {
      let room = window - open.count
      let proposals = try searcher.ask(room)
      guard proposals.count <= room else { throw SearchError("\(name) proposes \(proposals.count) where \(room) were asked for") }
      isWaiting = proposals.count < room
      for proposal in proposals {
        let id = told.count + open.count
        var entry = Open(id: id, proposal: proposal)
        if let equal = outcomes[Key(candidate: proposal.candidate, fidelity: proposal.fidelity)] {
          entry.trial = Trial(id: id, proposal: proposal, searcher: name, outcome: equal.outcome)
        }
        open.append(entry)
      }
    }
  }

  /// Tells the first open trial, if it is known.
  /// - Returns: it, and whether it joined the front.
  mutating func tellNext() -> (trial: Trial, improved: Bool)? {
    guard let first = open.first, first.isRecorded, let trial = first.trial else { return nil }
    open.removeFirst()
    searcher.tell([trial])
    told.append(trial)
    isWaiting = false
    guard trial.outcome != nil else {
      failures += 1
      return (trial, false)
    }
    outcomes[Key(candidate: trial.candidate, fidelity: trial.fidelity)] = trial
    return (trial, join(trial))
  }

  private mutating func join(_ trial: Trial) -> Bool {
    guard trial.isFeasible, trial.fidelity == 1, let objectives = trial.outcome?.objectives else { return false }
    let others = front.compactMap { $0.outcome?.objectives }
    guard !others.contains(where: { $0 == objectives || Pareto.dominates($0, objectives) }) else { return false }
    front.removeAll { $0.outcome.map { Pareto.dominates(objectives, $0.objectives) } ?? true }
    front.append(trial)
    return true
  }
}
