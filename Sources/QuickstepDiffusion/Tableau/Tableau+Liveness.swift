extension Tableau {
  /// For every row, the registers that no later row reads: the executor lets go of them once the row is done. The final state is never
  /// among them.
  public var releases: [[Register]] {
    var lastUse: [Register: Int] = [:]
    var evaluations = 0
    for (index, row) in rows.enumerated() {
      if let evaluation = row.evaluation {
        lastUse[.state(evaluation.state)] = index
        // A prediction nobody reads still exists until the end of its own row.
        lastUse[.denoised(evaluations)] = index
        evaluations += 1
      }
      for term in row.terms { lastUse[term.register] = index }
      if lastUse[.state(index + 1)] == nil { lastUse[.state(index + 1)] = index }
    }
    lastUse[.state(rows.count)] = nil
    var releases = Array(repeating: [Register](), count: rows.count)
    for (register, row) in lastUse { releases[row].append(register) }
    return releases.map { $0.sorted { $0.description < $1.description } }
  }

  /// The greatest number of registers that are held at one time, the new state of a row included: what a run costs in memory, in states.
  public var peakRegisters: Int {
    var live: Set<Register> = [.state(0)]
    var evaluations = 0
    var peak = 1
    for (index, (row, released)) in zip(rows, releases).enumerated() {
      if row.evaluation != nil {
        live.insert(.denoised(evaluations))
        evaluations += 1
      }
      live.formUnion(row.terms.map(\.register))
      live.insert(.state(index + 1))
      peak = max(peak, live.count)
      live.subtract(released)
    }
    return peak
  }
}
