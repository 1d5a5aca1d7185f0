internal import Foundation
internal import GRDB
internal import QuickstepFormats

/// A file that keeps every trial of a search: SQLite, written ahead of time (WAL), so that a killed program loses nothing it has recorded.
///
/// Several processes may work on one archive. Each claims a proposal before it evaluates it, so that no two evaluate the same one.
///
/// An archive belongs to one space, one list of objectives and one identity (``SearchProblem/identity``); it holds any number of runs, each a
/// searcher with parameters and a seed. Every failure is a `FormatError` that names the file.
public final class TrialArchive: Sendable {
  /// Where it lies.
  public let path: String
  /// The space its candidates are of. Known candidates are not kept.
  public let space: SearchSpace
  /// Names of the objectives.
  public let objectives: [String]
  /// What its outcomes depend on beside the candidates.
  public let identity: String
  /// Whether this was opened for reading only.
  public let isReadOnly: Bool
  /// Names this opening of the file in claims.
  let owner = UUID().uuidString
  let database: any DatabaseWriter
  let wait: Double

  /// Opens an archive to add to it; makes it where there is none.
  /// - Parameters:
  ///   - path: of the file; its folder has to exist.
  ///   - problem: what the trials are of.
  ///   - wait: seconds to wait for other programs that write.
  /// - Throws: `FormatError` naming the file: no archive, damaged, of a newer program, of another space, objectives or identity, not writable.
  public convenience init(path: String, problem: any SearchProblem, wait: Double = 10) throws {
    let heading = ArchiveHeading(space: problem.space, objectives: problem.objectives, identity: problem.identity)
    if !FileManager.default.fileExists(atPath: path) { try ArchiveSchema.create(path, heading) }
    try self.init(existing: path, readOnly: false, wait: wait)
    try ArchiveHeading(space: space, objectives: objectives, identity: identity).checkEqual(heading, in: path)
  }

  /// Opens an archive of whatever problem for reading.
  /// - Throws: `FormatError` naming the file: missing, no archive, damaged, of a newer program.
  public convenience init(reading path: String, wait: Double = 10) throws {
    try self.init(existing: path, readOnly: true, wait: wait)
  }

  private init(existing path: String, readOnly: Bool, wait: Double) throws {
    self.path = path
    self.wait = wait
    isReadOnly = readOnly
    try ArchiveSchema.checkHeader(path)
    var configuration = Configuration()
    configuration.busyMode = .timeout(wait)
    configuration.readonly = readOnly
    configuration.label = "trials"
    // Claims and trials are decided on what was just read, so writers take their turn from the beginning of a transaction.
    configuration.maximumReaderCount = 4
    let settings = configuration
    database = try Self.translated(path, wait: wait) { () -> any DatabaseWriter in
      // A pool cannot be opened for reading without a writer's files beside it; one connection can.
      if readOnly { return try DatabaseQueue(path: path, configuration: settings) }
      return try DatabasePool(path: path, configuration: settings)
    }
    let heading = try Self.translated(path, wait: wait) { [database] in
      try database.read { connection in try ArchiveSchema.readHeading(connection, path) }
    }
    (space, objectives, identity) = (heading.space, heading.objectives, heading.identity)
  }

  /// The version of the SQLite library, for `doctor`.
  /// - Throws: `FormatError` where it does not work.
  public static func libraryVersion() throws -> String {
    try translated("SQLite", wait: 0) {
      try DatabaseQueue().read { try String.fetchOne($0, sql: "SELECT sqlite_version()") ?? "unknown" }
    }
  }

  func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try Self.translated(path, wait: wait) { try database.read(body) }
  }

  /// One transaction: all of it is kept or nothing.
  func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    guard !isReadOnly else { throw FormatError(path, "was opened for reading; nothing can be added") }
    return try Self.translated(path, wait: wait) {
      try database.writeWithoutTransaction { connection in
        var result: Value?
        try connection.inTransaction(.immediate) {
          result = try body(connection)
          return .commit
        }
        guard let result else { throw FormatError(path, "a transaction had no result") }
        return result
      }
    }
  }

  /// Keeps the file from growing beyond its size now and `pages` more, as a full disk does; for tests.
  package func limitGrowth(pages: Int) throws {
    try write { connection in
      let count = try Int.fetchOne(connection, sql: "PRAGMA page_count") ?? 0
      try connection.execute(sql: "PRAGMA max_page_count = \(count + pages)")
    }
  }

  /// Runs `body`, and turns SQLite's errors into sentences about the file.
  static func translated<Value>(_ path: String, wait: Double, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError {
      throw FormatError(path, ArchiveSchema.reason(error, wait: wait))
    }
  }
}
