internal import Foundation
internal import GRDB

extension TrialArchive {
  /// Answer to a claim.
  public enum Claim: Sendable, Hashable {
    /// It is ours to evaluate, until the lease ends or is renewed.
    case granted
    /// It has been evaluated.
    case finished(Trial)
    /// Another process evaluates it.
    case taken
  }

  /// Asks to evaluate proposal `id` of a run. Of any number of processes that ask, one is granted it.
  ///
  /// On one machine a claim holds as long as its process lives, elsewhere as long as its lease.
  /// - Parameter lease: seconds until others may take it over; ``renew(run:id:lease:)`` prolongs it.
  /// - Throws: `FormatError` naming the file.
  public func claim(run: Int, id: Int, lease: Double) throws -> Claim {
    try write { connection in
      if let trial = try self.trial(connection, run: run, id: id) { return .finished(trial) }
      let now = Date().timeIntervalSince1970
      if let row = try Row.fetchOne(connection, sql: "SELECT * FROM claim WHERE run = ? AND id = ?", arguments: [run, id]) {
        let holder: String = try self.value(row, "owner")
        if holder != self.owner, try self.isAlive(row, now: now) { return .taken }
      }
      try connection.execute(
        sql: "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)",
        arguments: [run, id, self.owner, Self.host, Int(getpid()), Self.birth(of: Int(getpid())), now + lease])
      return .granted
    }
  }

  /// Prolongs a claim of ours.
  /// - Throws: `FormatError` naming the file.
  public func renew(run: Int, id: Int, lease: Double) throws {
    try write { connection in
      try connection.execute(
        sql: "UPDATE claim SET until = ? WHERE run = ? AND id = ? AND owner = ?",
        arguments: [Date().timeIntervalSince1970 + lease, run, id, self.owner])
    }
  }

  /// Gives a claim of ours back without a result.
  /// - Throws: `FormatError` naming the file.
  public func release(run: Int, id: Int) throws {
    try write { connection in
      try connection.execute(sql: "DELETE FROM claim WHERE run = ? AND id = ? AND owner = ?", arguments: [run, id, self.owner])
    }
  }

  private func isAlive(_ row: Row, now: Double) throws -> Bool {
    let until: Double = try value(row, "until")
    let host: String = try value(row, "host")
    let process: Int = try value(row, "process")
    let birth: String? = try optional(row, "birth")
    // A run of this very process that was given up may have left a claim.
    guard host == Self.host, process != Int(getpid()), let birth else { return until > now }
    return Self.birth(of: process) == birth
  }

  /// When a process of this machine began, in the kernel's ticks, which tells it from a later one with its number. `nil` where there is no such
  /// process, or the system does not tell.
  private static func birth(of process: Int) -> String? {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return nil }
    // The second field is the name in brackets, with whatever the program put there; the 22nd is the time.
    let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
    return fields.count > 20 && fields[1] != "Z" ? String(fields[20]) : nil
  }

  private static let host = ProcessInfo.processInfo.hostName
}
