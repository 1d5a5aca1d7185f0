internal import Foundation
internal import GRDB
internal import QuickstepFormats

/// What an archive is for.
struct ArchiveHeading {
  var space: SearchSpace
  var objectives: [String]
  var identity: String

  /// - Throws: `FormatError` naming what differs.
  func checkEqual(_ wanted: ArchiveHeading, in path: String) throws {
    guard space.genes == wanted.space.genes else {
      throw FormatError(
        path,
        "holds trials of another search space (\(space.genes.count) genes, fingerprint \(space.fingerprint)); this one has "
          + "\(wanted.space.genes.count) genes and the fingerprint \(wanted.space.fingerprint). Give another file")
    }
    guard objectives == wanted.objectives else {
      throw FormatError(
        path,
        "holds trials for the objectives \(objectives.joined(separator: ", ")); this search has "
          + "\(wanted.objectives.joined(separator: ", ")). Give another file")
    }
    guard identity == wanted.identity else {
      throw FormatError(path, "holds trials of '\(identity)'; this search is of '\(wanted.identity)'. Give another file")
    }
  }
}

/// The tables of an archive, and how its file is told from others.
enum ArchiveSchema {
  /// `QSta` in the header of the file.
  static let applicationIdentifier: UInt32 = 0x5153_7461
  /// Counts changes that older programs cannot read.
  static let version: UInt32 = 1

  private static let tables = """
    CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
    CREATE TABLE run (
      id INTEGER PRIMARY KEY, searcher TEXT NOT NULL, parameters TEXT NOT NULL, seed TEXT NOT NULL, known TEXT NOT NULL,
      window INTEGER NOT NULL, created REAL NOT NULL, UNIQUE (searcher, parameters, seed, known));
    CREATE TABLE trial (
      run INTEGER NOT NULL REFERENCES run(id), id INTEGER NOT NULL, candidate TEXT NOT NULL, fidelity REAL NOT NULL,
      generation INTEGER NOT NULL, outcome TEXT, failure TEXT, seconds REAL NOT NULL, finished REAL NOT NULL,
      checksum TEXT NOT NULL, PRIMARY KEY (run, id));
    CREATE TABLE claim (
      run INTEGER NOT NULL REFERENCES run(id), id INTEGER NOT NULL, owner TEXT NOT NULL, host TEXT NOT NULL, process INTEGER NOT NULL,
      birth TEXT, until REAL NOT NULL, PRIMARY KEY (run, id));
    """

  /// Makes a whole archive beside `path` and puts it there in one go: whoever looks sees nothing or all of it.
  static func create(_ path: String, _ heading: ArchiveHeading) throws {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard FileManager.default.fileExists(atPath: folder) else { throw FormatError(path, "cannot be made: there is no folder \(folder)") }
    let partial = "\(folder)/.\(URL(fileURLWithPath: path).lastPathComponent.prefix(100)).\(UUID().uuidString).part"
    defer { unlink(partial) }
    try TrialArchive.translated(path, wait: 0) {
      let queue = try DatabaseQueue(path: partial)
      try queue.write { connection in
        try connection.execute(sql: "PRAGMA application_id = \(applicationIdentifier); PRAGMA user_version = \(version)")
        try connection.execute(sql: tables)
        for (key, value) in try [
          ("space", ArchiveText.encode(SearchSpace(genes: heading.space.genes), in: path)),
          ("fingerprint", heading.space.fingerprint), ("objectives", ArchiveText.encode(heading.objectives, in: path)),
          ("identity", heading.identity),
        ] {
          try connection.execute(sql: "INSERT INTO meta VALUES (?, ?)", arguments: [key, value])
        }
      }
      try queue.close()
    }
    // Not renamed: what another process made in the meantime stays.
    guard link(partial, path) == 0 || errno == EEXIST else {
      throw FormatError(path, "cannot be made: \(String(cString: strerror(errno)))")
    }
  }

  /// Looks at the file before SQLite does, which would change a foreign database's journal.
  /// - Throws: `FormatError` when it is missing, no archive, or of a newer program.
  static func checkHeader(_ path: String) throws {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw FormatError(path, "cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { try? file.close() }
    guard let bytes = try? file.read(upToCount: 100), bytes.count == 100, bytes.starts(with: Data("SQLite format 3\0".utf8)) else {
      throw FormatError(path, "is no archive of trials: it is no SQLite database")
    }
    func number(_ offset: Int) -> UInt32 { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    guard number(68) == applicationIdentifier else {
      throw FormatError(path, "is a SQLite database of another program, not an archive of trials")
    }
    let found = number(60)
    guard found <= version else {
      throw FormatError(path, "was made by a newer program (version \(found) of the archive); this one reads up to \(version)")
    }
    guard found >= 1 else { throw FormatError(path, "has version \(found) of the archive; versions begin with 1") }
  }

  /// - Throws: `FormatError` when tables are damaged or do not hold what they should.
  static func readHeading(_ connection: Database, _ path: String) throws -> ArchiveHeading {
    let verdict = try String.fetchOne(connection, sql: "PRAGMA quick_check(1)") ?? "no answer"
    guard verdict == "ok" else { throw FormatError(path, "is damaged: \(verdict)") }
    func meta(_ key: String) throws -> String {
      guard let value = try String.fetchOne(connection, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]) else {
        throw FormatError(path, "is damaged: it does not say its '\(key)'")
      }
      return value
    }
    let space = try ArchiveText.decode(SearchSpace.self, meta("space"), in: path, "space")
    guard try meta("fingerprint") == space.fingerprint else {
      throw FormatError(path, "is damaged: its fingerprint \(try meta("fingerprint")) is not that of its space, \(space.fingerprint)")
    }
    return try ArchiveHeading(
      space: space, objectives: ArchiveText.decode([String].self, meta("objectives"), in: path, "objectives"), identity: meta("identity"))
  }

  /// SQLite's complaint as a sentence that follows the file's name.
  static func reason(_ error: DatabaseError, wait: Double) -> String {
    let kept = "what was recorded before is kept"
    switch error.resultCode {
    case .SQLITE_FULL: return "cannot be added to: the disk is full; \(kept)"
    case .SQLITE_BUSY, .SQLITE_LOCKED: return "is locked by another program, which did not let go for \(wait) s; \(kept)"
    case .SQLITE_READONLY: return "cannot be added to: the file or its folder is read-only"
    case .SQLITE_PERM, .SQLITE_AUTH: return "cannot be opened: permission denied"
    case .SQLITE_CANTOPEN: return "cannot be opened; its folder has to be writable, for SQLite keeps files beside it"
    case .SQLITE_NOTADB: return "is no archive of trials: it is no SQLite database"
    case .SQLITE_CORRUPT: return "is damaged: \(error.message ?? "its pages do not fit together")"
    case .SQLITE_IOERR: return "cannot be read or written (\(error.message ?? "input/output error")); \(kept)"
    default: return "SQLite says: \(error.message ?? "error \(error.resultCode.rawValue)")"
    }
  }
}

/// Values in columns, as JSON with sorted keys. Numbers survive exactly.
enum ArchiveText {
  static func encode(_ value: some Encodable, in path: String) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      throw FormatError(path, "cannot hold a value: \(error)")
    }
  }

  /// - Parameter what: for the message, such as `candidate of trial 3`.
  static func decode<Value: Decodable>(_ type: Value.Type, _ text: String, in path: String, _ what: String) throws -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
    } catch {
      throw FormatError(path, "is damaged: its \(what) is \(text.prefix(80))")
    }
  }
}
