import Foundation
import GRDB
import QuickstepFormats
import QuickstepNN
import QuickstepTesting
import QuickstepTuner
import Testing

@Suite("Archives of trials") struct ArchiveTests {
  private static func run(_ archive: TrialArchive, seed: UInt64 = 1) throws -> ArchivedRun {
    let parameters = try ParameterValues(["levels": "4"], for: AllSearchers.named("grid").declaration)
    return try archive.run(searcher: "grid", parameters: parameters, seed: seed, known: [], window: 2)
  }

  private static func trial(_ id: Int) -> Trial {
    var random = SplitMix64(seed: UInt64(id))
    let candidate = SearcherTests.mixed.random(using: &random)
    // Numbers with all their digits, and one without outcome.
    let outcome =
      id == 3 ? nil : Outcome(objectives: [random.normal() * 1e-300, 1 / 3], violation: 0.1, attributes: ["ψ \"x\"": 0.1 + 0.2])
    return Trial(
      id: id, proposal: Proposal(candidate, fidelity: 1.0 / 3, generation: 7), searcher: "grid", outcome: outcome,
      failure: id == 3 ? "it's \"broken\"; DROP TABLE trial" : nil, seconds: 0.1 + 0.7)
  }

  private static func filled(_ folder: TemporaryFolder, trials: Int = 5) throws -> String {
    let path = folder.path + "/a.sqlite"
    let archive = try TrialArchive(path: path, problem: CountedProblem())
    let run = try run(archive)
    for id in 0..<trials { try archive.record(trial(id), run: run.id) }
    return path
  }

  private static func refusal(_ path: String, _ problem: any SearchProblem = CountedProblem()) -> String {
    let error = #expect(throws: FormatError.self) { try TrialArchive(path: path, problem: problem) }
    #expect(error?.origin == path)
    return error?.reason ?? ""
  }

  @Test("what is recorded comes back digit by digit, by another opening too")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    let path = try Self.filled(folder)
    for archive in try [TrialArchive(path: path, problem: CountedProblem()), TrialArchive(reading: path)] {
      #expect(try archive.trials() == (0..<5).map(Self.trial))
      #expect(try archive.trial(run: 1, id: 3) == Self.trial(3))
      #expect(try archive.trial(run: 1, id: 5) == nil)
      #expect(archive.space.genes == SearcherTests.mixed.genes)
      #expect(archive.objectives == ["quality", "effort"])
      #expect(archive.identity == "test")
      #expect(try archive.runs().map(\.parameters) == [ParameterValues(["levels": "4"], for: AllSearchers.named("grid").declaration)])
    }
  }

  @Test("the first record of a trial stays")
  func first() throws {
    let folder = try TemporaryFolder()
    let archive = try TrialArchive(path: Self.filled(folder), problem: CountedProblem())
    var other = Self.trial(2)
    other.outcome?.objectives[0] = 5
    #expect(try archive.record(other, run: 1) == Self.trial(2))
    #expect(try archive.trials() == (0..<5).map(Self.trial))
  }

  @Test("one of many who claim a proposal is granted it")
  func claims() async throws {
    let folder = try TemporaryFolder()
    let path = try Self.filled(folder)
    let granted = try await withThrowingTaskGroup(of: [Int].self) { group in
      for _ in 0..<4 {
        group.addTask {
          let archive = try TrialArchive(path: path, problem: CountedProblem())
          return try (5..<30).filter { try archive.claim(run: 1, id: $0, lease: 60) == .granted }
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(granted.sorted() == Array(5..<30))
  }

  @Test("claims end with a record, a release, their lease, or the process that held them")
  func claimEnds() throws {
    let folder = try TemporaryFolder()
    let path = try Self.filled(folder)
    let ours = try TrialArchive(path: path, problem: CountedProblem())
    let others = try TrialArchive(path: path, problem: CountedProblem())
    #expect(try ours.claim(run: 1, id: 0, lease: 60) == .finished(Self.trial(0)))
    #expect(try ours.claim(run: 1, id: 5, lease: 60) == .granted)
    #expect(try ours.claim(run: 1, id: 5, lease: 60) == .granted)
    #expect(try others.claim(run: 1, id: 5, lease: 60) == .taken)
    // Releasing or renewing what is not one's own does nothing.
    try others.release(run: 1, id: 5)
    try others.renew(run: 1, id: 5, lease: -100)
    #expect(try others.claim(run: 1, id: 5, lease: 60) == .taken)
    try ours.release(run: 1, id: 5)
    #expect(try others.claim(run: 1, id: 5, lease: 60) == .granted)
    try others.record(Self.trial(5), run: 1)
    #expect(try ours.claim(run: 1, id: 5, lease: 60) == .finished(Self.trial(5)))
    #expect(try ours.claim(run: 1, id: 6, lease: -1) == .granted)
    #expect(try others.claim(run: 1, id: 6, lease: 60) == .granted)
  }

  @Test("archives of other spaces, objectives and identities are refused")
  func foreign() throws {
    struct Other: SearchProblem {
      var space: SearchSpace
      var objectives: [String]
      var identity: String
      func evaluate(_ candidate: Candidate, fidelity: Double) async throws -> Outcome { Outcome(objectives: []) }
    }
    let folder = try TemporaryFolder()
    let path = try Self.filled(folder)
    let mixed = SearcherTests.mixed
    let small = try SearchSpace(genes: Array(mixed.genes.dropLast()))
    #expect(Self.refusal(path, Other(space: small, objectives: ["quality", "effort"], identity: "test")).contains(small.fingerprint))
    #expect(Self.refusal(path, Other(space: mixed, objectives: ["quality"], identity: "test")).contains("quality, effort"))
    #expect(Self.refusal(path, Other(space: mixed, objectives: ["quality", "effort"], identity: "model 2")).contains("'model 2'"))
    // Known candidates are the run's, not the archive's.
    _ = try TrialArchive(
      path: path, problem: Other(space: SearchSpace(genes: mixed.genes), objectives: ["quality", "effort"], identity: "test"))
  }

  @Test("files that are no archives are refused and left as they are")
  func noArchive() throws {
    let folder = try TemporaryFolder()
    for (name, bytes) in [("empty", []), ("short", Array("SQLite format 3\0".utf8)), ("text", Array(repeating: UInt8(65), count: 5000))] {
      let path = try folder.write(bytes, to: name)
      #expect(Self.refusal(path).contains("no archive"))
      #expect(FileManager.default.contents(atPath: path) == Data(bytes))
    }
    let path = try Self.filled(folder)
    var bytes = [UInt8](try #require(FileManager.default.contents(atPath: path)))
    // The application's number in the header, then the version.
    bytes[68] ^= 1
    #expect(try Self.refusal(folder.write(bytes, to: "application")).contains("another program"))
    bytes[68] ^= 1
    bytes[63] = 9
    #expect(try Self.refusal(folder.write(bytes, to: "newer")).contains("newer program (version 9"))
    #expect(Self.refusal(folder.path).contains("no archive") || Self.refusal(folder.path).contains("cannot be read"))
    #expect(Self.refusal(folder.path + "/nowhere/a.sqlite").contains("no folder"))
    let missing = #expect(throws: FormatError.self) { try TrialArchive(reading: folder.path + "/missing") }
    #expect(missing?.reason.contains("cannot be read") == true)
  }

  @Test("damaged archives are refused, or give an error that names the file; never other numbers")
  func damaged() throws {
    let folder = try TemporaryFolder()
    // Closed and merged into one file: reading it alone is enough.
    let path = try Self.filled(folder, trials: 60)
    let original = [UInt8](try #require(FileManager.default.contents(atPath: path)))
    let expected = (0..<60).map(Self.trial)
    var random = SplitMix64(seed: 3)
    var errors = 0
    for attempt in 0..<60 {
      var bytes = original
      if attempt % 3 == 0 {
        bytes.removeLast(1 + random.below(bytes.count - 1))
      } else {
        for _ in 0..<(attempt % 3 == 1 ? 40 : 400) { bytes[100 + random.below(bytes.count - 100)] = UInt8(random.below(256)) }
      }
      let copy = try folder.write(bytes, to: "damaged-\(attempt)")
      do {
        let trials = try TrialArchive(reading: copy).trials()
        // Rows can be lost with a page of the tree; those that come are as they were.
        #expect(trials.allSatisfy(expected.contains))
      } catch let error as FormatError {
        #expect(error.origin == copy)
        errors += 1
      }
    }
    #expect(errors >= 40)
  }

  @Test("an archive that is read only is read, and says so when something is added")
  func readOnly() throws {
    let folder = try TemporaryFolder()
    let archive = try TrialArchive(reading: Self.filled(folder))
    #expect(try archive.trials().count == 5)
    let error = #expect(throws: FormatError.self) { try archive.record(Self.trial(9), run: 1) }
    #expect(error?.reason.contains("for reading") == true)
  }

  @Test("a file that others have locked is a clear error, and nothing is lost")
  func locked() throws {
    let folder = try TemporaryFolder()
    let path = try Self.filled(folder)
    let archive = try TrialArchive(path: path, problem: CountedProblem(), wait: 0.05)
    let other = try DatabaseQueue(path: path)
    try other.writeWithoutTransaction { connection in
      try connection.execute(sql: "BEGIN IMMEDIATE")
      defer { try? connection.execute(sql: "ROLLBACK") }
      let error = #expect(throws: FormatError.self) { try archive.record(Self.trial(9), run: 1) }
      #expect(error?.origin == path && error?.reason.contains("locked by another program") == true)
      // Reading goes on while somebody writes.
      #expect(try archive.trials().count == 5)
    }
    try archive.record(Self.trial(9), run: 1)
    #expect(try archive.trials().count == 6)
  }

  @Test("a full disk is a clear error, and what was recorded before is kept")
  func full() throws {
    let folder = try TemporaryFolder()
    let path = try Self.filled(folder)
    let archive = try TrialArchive(path: path, problem: CountedProblem())
    // SQLite's own limit stands in for the disk's: it is the same error from there on.
    try archive.limitGrowth(pages: 0)
    var recorded = 5
    let error = #expect(throws: FormatError.self) {
      for id in 5..<10_000 {
        try archive.record(Self.trial(id), run: 1)
        recorded += 1
      }
    }
    #expect(error?.origin == path && error?.reason.contains("disk is full") == true)
    #expect(recorded < 10_000)
    #expect(try TrialArchive(reading: path).trials() == (0..<recorded).map(Self.trial))
    // With room again it goes on.
    try archive.limitGrowth(pages: 100)
    try archive.record(Self.trial(recorded), run: 1)
  }
}
