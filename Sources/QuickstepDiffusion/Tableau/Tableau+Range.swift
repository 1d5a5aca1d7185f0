public import QuickstepNN

extension Tableau {
  /// The first `steps` steps: an early stop.
  /// - Throws: ``TableauError`` unless 1 ≤ steps ≤ ``stepCount``.
  public func prefix(steps: Int) throws -> Tableau {
    guard (1...stepCount).contains(steps) else {
      throw TableauError("tableau '\(solver)' cannot stop after \(steps) steps; allowed: 1…\(stepCount)")
    }
    return try Tableau(solver: solver, stepCount: steps, initialLevel: initialLevel, rows: rows.filter { $0.step < steps })
  }

  /// The steps from `first` on, for a run that starts from a given state.
  ///
  /// Only tables without memory can be cut: a multistep method would read predictions that were never made. For those, compile the
  /// solver on ``Grid/suffix(fromStep:)``, which is what ``SamplingRun`` does for every solver.
  /// - Throws: ``TableauError`` naming the register that lies before the cut.
  public func suffix(fromStep first: Int) throws -> Tableau {
    guard (0..<stepCount).contains(first) else {
      throw TableauError("tableau '\(solver)' has no step \(first); allowed: 0…\(stepCount - 1)")
    }
    guard let cut = rows.firstIndex(where: { $0.step == first }), cut > 0 else { return self }
    let head = rows[..<cut]
    let evaluations = head.count { $0.evaluation != nil }
    let noises = head.reduce(0) { count, row in count + row.terms.count { if case .noise = $0.register { true } else { false } } }
    let kept = rows[cut...].map { row -> Row in
      var row = row
      row.step -= first
      row.evaluation?.state -= cut
      row.terms = row.terms.map { Term($0.register.shifted(states: cut, denoised: evaluations, noises: noises), $0.coefficient) }
      return row
    }
    do {
      return try Tableau(solver: solver, stepCount: stepCount - first, initialLevel: rows[cut - 1].level, rows: kept)
    } catch {
      throw TableauError(
        "tableau '\(solver)' cannot begin at step \(first), it reads what was made before "
          + "(\(error)); compile it on the rest of the grid instead")
    }
  }

  /// This table up to a step, and after it another one that begins there: a solver that forgets on its way.
  /// - Parameter rest: a table that begins at the level that is reached by then.
  /// - Throws: ``TableauError`` unless there are steps before `first`, and for another level.
  public func followed(fromStep first: Int, by rest: Tableau) throws -> Tableau {
    let head = try prefix(steps: first)
    guard let reached = head.rows.last?.level, reached == rest.initialLevel else {
      throw TableauError("tableau '\(solver)' does not reach the level at which '\(rest.solver)' is to go on after \(first) steps")
    }
    let (states, evaluations, noises) = (head.rows.count, head.evaluationCount, head.noiseCount)
    let tail = rest.rows.map { row -> Row in
      var row = row
      row.step += first
      row.evaluation?.state += states
      row.terms = row.terms.map {
        Term($0.register.shifted(states: -states, denoised: -evaluations, noises: -noises), $0.coefficient)
      }
      return row
    }
    return try Tableau(solver: solver, stepCount: first + rest.stepCount, initialLevel: initialLevel, rows: head.rows + tail)
  }

  /// The level after each finished step, beginning with the initial one: the grid the table was compiled on.
  public var stepLevels: [NoiseLevel] { [initialLevel] + rows.filter(\.finishesStep).map(\.level) }
}
