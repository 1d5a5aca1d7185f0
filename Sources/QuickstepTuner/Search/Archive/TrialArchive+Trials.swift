internal import Foundation
internal import GRDB
internal import QuickstepFormats
public import QuickstepNN

/// What makes the sequence of a searcher's proposals, and the run an archive keeps for it.
public struct ArchivedRun: Sendable, Hashable, Codable {
  /// Counts the runs of an archive from 1.
  public var id: Int
  /// Name of the searcher.
  public var searcher: String
  /// All of its parameters.
  public var parameters: ParameterValues
  /// Seed of the searcher.
  public var seed: UInt64
  /// How many proposals may be open at once. It is part of what makes the sequence, so a resumed run keeps it.
  public var window: Int
}

extension TrialArchive {
  /// The run of this searcher, with these parameters, seed and known candidates; a new one where there is none yet.
  /// - Parameter window: for a new run; an old one keeps its own.
  /// - Throws: `FormatError` naming the file.
  public func run(
    searcher: String, parameters: ParameterValues, seed: UInt64, known: [Candidate], window: Int
  ) throws -> ArchivedRun {
    let texts = try [
      searcher, ArchiveText.encode(parameters, in: path), String(seed), ArchiveText.encode(known, in: path),
    ]
    return try write { connection in
      let find = "SELECT id, window FROM run WHERE searcher = ? AND parameters = ? AND seed = ? AND known = ?"
      if let row = try Row.fetchOne(connection, sql: find, arguments: StatementArguments(texts)) {
        return try ArchivedRun(
          id: self.value(row, "id"), searcher: searcher, parameters: parameters, seed: seed, window: self.value(row, "window"))
      }
      try connection.execute(
        sql:
          "INSERT INTO run (searcher, parameters, seed, known, window, created) VALUES (?, ?, ?, ?, \(window), \(Date().timeIntervalSince1970))",
        arguments: StatementArguments(texts))
      return ArchivedRun(
        id: Int(connection.lastInsertedRowID), searcher: searcher, parameters: parameters, seed: seed, window: window)
    }
  }

  /// All trials, run by run, in the order in which they were proposed.
  /// - Parameter run: only those of this run.
  /// - Throws: `FormatError` naming the file, and the trial that is damaged.
  public func trials(run: Int? = nil) throws -> [Trial] {
    try read { connection in
      let filter = run.map { "WHERE run = \($0)" } ?? ""
      let rows = try Row.fetchAll(
        connection, sql: "SELECT trial.*, searcher FROM trial JOIN run ON run.id = run \(filter) ORDER BY run, trial.id")
      return try rows.map(self.trial)
    }
  }

  /// One trial; `nil` where it has not been recorded.
  /// - Throws: `FormatError` naming the file.
  public func trial(run: Int, id: Int) throws -> Trial? { try read { try self.trial($0, run: run, id: id) } }

  /// The runs of this archive.
  /// - Throws: `FormatError` naming the file.
  public func runs() throws -> [ArchivedRun] {
    try read { connection in
      try Row.fetchAll(connection, sql: "SELECT * FROM run ORDER BY id").map { row in
        let seed: String = try self.value(row, "seed")
        guard let number = UInt64(seed) else { throw FormatError(self.path, "is damaged: the seed of a run is '\(seed)'") }
        return try ArchivedRun(
          id: self.value(row, "id"), searcher: self.value(row, "searcher"),
          parameters: ArchiveText.decode(ParameterValues.self, self.value(row, "parameters"), in: self.path, "parameters of a run"),
          seed: number, window: self.value(row, "window"))
      }
    }
  }

  /// Keeps a trial and gives its claim back. Where another process has recorded it first, that one stays.
  /// - Returns: the trial that is kept.
  /// - Throws: `FormatError` naming the file; the trial is not recorded then.
  @discardableResult
  public func record(_ trial: Trial, run: Int) throws -> Trial {
    let candidate = try ArchiveText.encode(trial.candidate, in: path)
    let outcome = try trial.outcome.map { try ArchiveText.encode($0, in: path) }
    return try write { connection in
      try connection.execute(
        sql: "INSERT OR IGNORE INTO trial VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        arguments: [
          run, trial.id, candidate, trial.fidelity, trial.origin.generation, outcome, trial.failure, trial.seconds,
          Date().timeIntervalSince1970, Self.checksum(trial, candidate: candidate, outcome: outcome),
        ])
      try connection.execute(sql: "DELETE FROM claim WHERE run = ? AND id = ?", arguments: [run, trial.id])
      return try self.trial(connection, run: run, id: trial.id) ?? trial
    }
  }

  /// Removes trials, so that they are evaluated again.
  func forget(_ ids: [Int], run: Int) throws {
    try write { connection in
      for id in ids { try connection.execute(sql: "DELETE FROM trial WHERE run = ? AND id = ?", arguments: [run, id]) }
    }
  }

  func trial(_ connection: Database, run: Int, id: Int) throws -> Trial? {
    try Row.fetchOne(
      connection, sql: "SELECT trial.*, searcher FROM trial JOIN run ON run.id = run WHERE run = ? AND trial.id = ?", arguments: [run, id]
    ).map(trial)
  }

  private func trial(_ row: Row) throws -> Trial {
    let id: Int = try value(row, "id")
    let what = "trial \(id)"
    let candidate = try ArchiveText.decode(Candidate.self, value(row, "candidate"), in: path, "candidate of \(what)")
    do {
      try space.check(candidate)
    } catch {
      throw FormatError(path, "is damaged: \(what): \(error)")
    }
    let fidelity: Double = try value(row, "fidelity")
    guard fidelity > 0, fidelity <= 1 else { throw FormatError(path, "is damaged: the fidelity of \(what) is \(fidelity)") }
    let text: String? = try optional(row, "outcome")
    let outcome = try text.map { try ArchiveText.decode(Outcome.self, $0, in: path, "outcome of \(what)") }
    if let fault = outcome?.fault(objectives: objectives.count) { throw FormatError(path, "is damaged: \(what): \(fault)") }
    let result = try Trial(
      id: id, proposal: Proposal(candidate, fidelity: fidelity, generation: value(row, "generation")), searcher: value(row, "searcher"),
      outcome: outcome, failure: optional(row, "failure"), seconds: value(row, "seconds"))
    guard try value(row, "checksum") == Self.checksum(result, candidate: value(row, "candidate"), outcome: text) else {
      throw FormatError(path, "is damaged: the checksum of \(what) does not fit")
    }
    return result
  }

  /// Of everything about a trial that was measured or proposed.
  private static func checksum(_ trial: Trial, candidate: String, outcome: String?) -> String {
    let parts = [
      "\(trial.id)", candidate, "\(trial.fidelity)", "\(trial.origin.generation)", outcome ?? "", trial.failure ?? "", "\(trial.seconds)",
    ]
    return Checksum.text(parts.joined(separator: "\u{0}").utf8)
  }

  /// A column's value. SQLite keeps any type in any column, so what another program wrote may not fit.
  func value<Value: DatabaseValueConvertible>(_ row: Row, _ column: String) throws -> Value {
    guard let found: DatabaseValue = row[column], let value = Value.fromDatabaseValue(found) else {
      throw FormatError(path, "is damaged: the column '\(column)' holds \(row[column] as DatabaseValue? ?? .null)")
    }
    return value
  }
  /// The same, where the column may be empty.
  func optional<Value: DatabaseValueConvertible>(_ row: Row, _ column: String) throws -> Value? {
    guard let found: DatabaseValue = row[column], !found.isNull else { return nil }
    return try value(row, column) as Value
  }
}
