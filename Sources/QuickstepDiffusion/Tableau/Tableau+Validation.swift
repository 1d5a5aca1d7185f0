import QuickstepNN

extension Tableau {
  /// Checks that every register exists before it is read, noises are first read in order, numbers are finite, steps come in order and each
  /// is finished exactly once, and the last row finishes the last step.
  /// - Throws: ``TableauError`` naming the first row that breaks a rule.
  public func validate() throws {
    guard stepCount >= 1 else { throw TableauError("tableau of '\(solver)' has \(stepCount) steps; allowed: 1 and above") }
    guard let last = rows.last, last.finishesStep else { throw TableauError("the last row of tableau '\(solver)' must finish a step") }
    var counts = Counts()
    var finished = 0
    for (index, row) in rows.enumerated() {
      guard row.step == finished else { throw error(index, "belongs to step \(row.step); step \(finished) is the one to be finished next") }
      try check(row, index, &counts)
      if row.finishesStep { finished += 1 }
    }
    guard finished == stepCount else { throw TableauError("tableau '\(solver)' finishes \(finished) steps; it says it has \(stepCount)") }
  }

  private struct Counts {
    var states = 1
    var denoised = 0
    var noises = 0
  }

  private func check(_ row: Row, _ index: Int, _ counts: inout Counts) throws {
    if let evaluation = row.evaluation {
      guard evaluation.state >= 0, evaluation.state < counts.states else {
        throw error(index, "evaluates x\(evaluation.state); only x0…x\(counts.states - 1) exist there")
      }
      for level in [evaluation.level] + (evaluation.sampleLevels ?? []) { try check(level, index, "evaluates at") }
      counts.denoised += 1
    }
    try check(row.level, index, "ends at")
    guard !row.terms.isEmpty else { throw error(index, "combines nothing") }
    guard Set(row.terms.map(\.register)).count == row.terms.count else { throw error(index, "names a register twice") }
    for term in row.terms { try check(term, index, &counts) }
    counts.states += 1
  }

  private func check(_ term: Term, _ index: Int, _ counts: inout Counts) throws {
    guard term.coefficient.isFinite else {
      throw error(index, "multiplies \(term.register) by \(term.coefficient); allowed: finite")
    }
    switch term.register {
    case .state(let k) where k < 0 || k >= counts.states:
      throw error(index, "reads \(term.register); only x0…x\(counts.states - 1) exist there")
    case .denoised(let e) where e < 0 || e >= counts.denoised:
      throw error(index, "reads \(term.register) before its evaluation; \(counts.denoised) evaluations have been made there")
    case .noise(let j) where j < 0 || j > counts.noises:
      throw error(index, "reads \(term.register); the next noise to be drawn there is z\(counts.noises)")
    case .noise(let j): counts.noises = max(counts.noises, j + 1)
    default: break
    }
  }

  private func check(_ level: NoiseLevel, _ index: Int, _ verb: String) throws {
    guard level.timestep.isFinite, level.alpha.isFinite, level.sigma.isFinite, level.alpha >= 0, level.sigma >= 0 else {
      throw error(index, "\(verb) (timestep \(level.timestep), α \(level.alpha), σ \(level.sigma)); allowed: finite, α and σ not negative")
    }
  }

  private func error(_ index: Int, _ problem: String) -> TableauError {
    TableauError("row \(index) of tableau '\(solver)' \(problem)")
  }
}
