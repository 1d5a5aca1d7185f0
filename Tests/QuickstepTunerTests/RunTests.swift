import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTesting
import QuickstepTuner
import Synchronization
import Testing

@Suite("Runs of a search") struct RunTests {
  static func settings(_ name: String, concurrency: Int = 1, window: Int = 3, limit: Int? = 80) -> SearchRun.Settings {
    .init(
      searcher: name, parameters: SearcherTests.small[name] ?? [:], seed: 6, trialLimit: limit, concurrency: concurrency, window: window,
      failureLimit: 50)
  }

  private static func uninterrupted(_ name: String) async throws -> [Trial] {
    let folder = try TemporaryFolder()
    let problem = CountedProblem()
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    let report = try await SearchRun(problem: problem, archive: archive, settings: settings(name)).execute()
    #expect(report.stop == (report.trials.count == 80 ? .trials : .finished))
    #expect(try archive.trials() == report.trials)
    return report.trials.map(\.timeless)
  }

  @Test("cancelled at any moment and resumed, a run has the same trials as without", arguments: SearcherTests.names)
  func resumed(name: String) async throws {
    let expected = try await Self.uninterrupted(name)
    var random = SplitMix64(seed: 77)
    for concurrency in [1, 3] {
      let folder = try TemporaryFolder()
      let path = folder.path + "/a.sqlite"
      var stops = 0
      var evaluations = 0
      while true {
        let moment = stops < 6 ? 1 + random.below(20) : Int.max
        let handle = Mutex<Task<SearchReport, any Error>?>(nil)
        let problem = CountedProblem { count in
          if count == moment { handle.withLock { $0?.cancel() } }
          // Some are cancelled while they are evaluated, some return all the same.
          if count >= moment, count % 2 == 0 { try Task.checkCancellation() }
          await Task.yield()
        }
        // Opened anew every time, as by a new process.
        let archive = try TrialArchive(path: path, problem: problem)
        let before = try archive.trials().count
        let run = try SearchRun(problem: problem, archive: archive, settings: Self.settings(name, concurrency: concurrency))
        let task = handle.withLock { slot in
          let task = Task { try await run.execute() }
          slot = task
          return task
        }
        let report = try await task.value
        evaluations += problem.total
        #expect(report.resumed <= before)
        #expect(Array(expected.prefix(report.trials.count)) == report.trials.map(\.timeless))
        guard report.stop == .cancelled else { break }
        stops += 1
      }
      let archive = try TrialArchive(reading: path)
      #expect(try archive.trials().map(\.timeless) == expected)
      #expect(try archive.runs().count == 1)
      // Nothing is evaluated again but what was cancelled half-way: at most as many as ran at once, per stop.
      #expect(evaluations <= expected.count + stops * concurrency)
    }
  }

  @Test("two at once on one archive share the work and come to the same trials", arguments: ["nsga-2", "hyperband", "random"])
  func shared(name: String) async throws {
    let expected = try await Self.uninterrupted(name)
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.sqlite"
    let problem = CountedProblem { _ in try await Task.sleep(for: .milliseconds(2)) }
    let reports = try await withThrowingTaskGroup(of: SearchReport.self) { group in
      for _ in 0..<3 {
        // Each makes or opens the file by itself.
        group.addTask {
          let archive = try TrialArchive(path: path, problem: problem)
          return try await SearchRun(problem: problem, archive: archive, settings: Self.settings(name, concurrency: 2)).execute()
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    for report in reports { #expect(report.trials.map(\.timeless) == expected) }
    #expect(problem.counts.withLock { $0.values.allSatisfy { $0 == 1 } })
    #expect(problem.total == Set(expected.map { Proposal($0.candidate, fidelity: $0.fidelity) }).count)
  }

  @Test("neither the number of trials at once nor their times change what is proposed")
  func order() async throws {
    let expected = try await Self.uninterrupted("nsga-2")
    let folder = try TemporaryFolder()
    let problem = CountedProblem { count in try await Task.sleep(for: .microseconds(count * 7919 % 3000)) }
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    let report = try await SearchRun(problem: problem, archive: archive, settings: Self.settings("nsga-2", concurrency: 3)).execute()
    #expect(report.trials.map(\.timeless) == expected)
    #expect(Set(report.front) == Set(Pareto.front(report.trials)))
  }

  @Test("progress tells every trial once and the front as it grows")
  func progress() async throws {
    let folder = try TemporaryFolder()
    let problem = CountedProblem()
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    let seen = Mutex<[SearchProgress]>([])
    let report = try await SearchRun(problem: problem, archive: archive, settings: Self.settings("random")).execute { progress in
      seen.withLock { $0.append(progress) }
    }
    let all = seen.withLock { $0 }
    #expect(all.map(\.told) == Array(1...80))
    #expect(all.compactMap { $0.latest?.id } == Array(0..<80))
    #expect(all.last?.frontSize == report.front.count)
    #expect(all.last?.failures == report.trials.filter { $0.outcome == nil }.count)
    #expect(zip(all, all.dropFirst()).allSatisfy { $1.improved || $1.frontSize == $0.frontSize })
  }

  @Test("another searcher or seed in the same archive is a run of its own")
  func runs() async throws {
    let folder = try TemporaryFolder()
    let problem = CountedProblem()
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    for (name, seed) in [("random", UInt64(1)), ("random", 2), ("grid", 1), ("random", .max)] {
      var settings = Self.settings(name, limit: 7)
      settings.seed = seed
      _ = try await SearchRun(problem: problem, archive: archive, settings: settings).execute()
    }
    let runs = try archive.runs()
    #expect(runs.map(\.searcher) == ["random", "random", "grid", "random"])
    #expect(runs.map(\.seed) == [1, 2, 1, .max])
    #expect(try archive.trials().count == 28)
    #expect(try archive.trials(run: 3).allSatisfy { $0.origin.searcher == "grid" })
  }

  @Test("a run that proposes something else than the archive holds is refused")
  func changed() async throws {
    let folder = try TemporaryFolder()
    let problem = CountedProblem()
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    let run = try SearchRun(problem: problem, archive: archive, settings: Self.settings("random"))
    var random = SplitMix64(seed: 0)
    let other = Trial(
      id: 4, proposal: Proposal(problem.space.random(using: &random)), searcher: "random", outcome: Outcome(objectives: [1, 1]))
    try archive.record(other, run: run.run.id)
    let error = await #expect(throws: SearchError.self) { try await run.execute() }
    #expect(error?.description.contains("trial 4") == true && error?.description.contains("a.sqlite") == true)
  }

  @Test("a problem that always fails stops the search, and is tried again when it is resumed")
  func failing() async throws {
    let folder = try TemporaryFolder()
    let broken = Mutex(true)
    let problem = CountedProblem { _ in if broken.withLock({ $0 }) { throw FormatError("prompts.txt", "is missing") } }
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    var settings = Self.settings("nsga-2")
    settings.failureLimit = 4
    let run = try SearchRun(problem: problem, archive: archive, settings: settings)
    let error = await #expect(throws: SearchError.self) { try await run.execute() }
    #expect(error?.description.contains("4") == true && error?.description.contains("prompts.txt: is missing") == true)
    broken.withLock { $0 = false }
    #expect(try await run.execute().trials.map(\.timeless) == Self.uninterrupted("nsga-2"))
  }

  @Test(
    "outcomes that cannot be are failures with a reason",
    arguments: [
      (Outcome(objectives: [1]), "1 objectives instead of 2"), (Outcome(objectives: [.nan, 0]), "an objective is nan"),
      (Outcome(objectives: [0, 0], violation: -1), "violation is -1"),
      (Outcome(objectives: [0, 0], attributes: ["psnr": .infinity]), "'psnr' is inf"),
    ])
  func faults(outcome: Outcome, reason: String) async throws {
    struct Odd: SearchProblem {
      var space = SearcherTests.mixed
      var objectives = ["a", "b"]
      var identity = "odd"
      var outcome: Outcome
      func evaluate(_ candidate: Candidate, fidelity: Double) async throws -> Outcome {
        candidate == SearcherTests.mixed.known[0] ? outcome : Outcome(objectives: [1, 2])
      }
    }
    let folder = try TemporaryFolder()
    let problem = Odd(outcome: outcome)
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    let report = try await SearchRun(problem: problem, archive: archive, settings: Self.settings("random", limit: 5)).execute()
    #expect(report.trials[0].outcome == nil)
    #expect(report.trials[0].failure?.contains(reason) == true)
    #expect(report.trials.dropFirst().allSatisfy { $0.outcome != nil })
  }

  @Test(
    "impossible settings are refused",
    arguments: [
      SearchRun.Settings(concurrency: 0), .init(budget: 0), .init(budget: .nan), .init(trialLimit: 0), .init(window: 0), .init(lease: 0),
    ])
  func refused(settings: SearchRun.Settings) throws {
    let folder = try TemporaryFolder()
    let problem = CountedProblem()
    let archive = try TrialArchive(path: folder.path + "/a.sqlite", problem: problem)
    #expect(throws: SearchError.self) { try SearchRun(problem: problem, archive: archive, settings: settings) }
  }
}
