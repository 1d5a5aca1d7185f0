import Foundation
import QuickstepTesting
import QuickstepTuner
import Testing

@Suite("Budgets of a search") struct BudgetTests {
  private static func execute(
    _ problem: TimedProblem, budget: Double?, searcher: String = "random", path: String, limit: Int? = nil
  ) async throws -> SearchReport {
    let archive = try TrialArchive(path: path, problem: problem)
    let settings = SearchRun.Settings(
      searcher: searcher, parameters: SearcherTests.small[searcher] ?? [:], seed: 1, budget: budget, trialLimit: limit)
    return try await SearchRun(problem: problem, archive: archive, settings: settings, clock: problem.clock).execute()
  }

  @Test("no trial is begun that would not end in time", arguments: [10.0, 100, 99.5, 101])
  func kept(budget: Double) async throws {
    let folder = try TemporaryFolder()
    let problem = TimedProblem(clock: HandClock()) { _ in 3 }
    let report = try await Self.execute(problem, budget: budget, path: folder.path + "/a.sqlite")
    #expect(report.stop == .budget)
    #expect(report.trials.count == Int(budget / 3))
    #expect(report.seconds <= budget)
  }

  @Test("with times that vary the slowest of the last trials counts")
  func varying() async throws {
    let folder = try TemporaryFolder()
    let problem = TimedProblem(clock: HandClock()) { 1 + $0.candidate.values[5] / 10 }
    let report = try await Self.execute(problem, budget: 200, path: folder.path + "/a.sqlite")
    #expect(report.stop == .budget)
    #expect(report.seconds <= 200)
    // What is left over is less than the slowest trial takes.
    #expect(report.seconds >= 200 - (report.trials.map(\.seconds).max() ?? 0))
  }

  @Test("trials with little effort fit where full ones do not")
  func fidelity() async throws {
    let folder = try TemporaryFolder()
    let problem = TimedProblem(clock: HandClock()) { 27 * $0.fidelity }
    let report = try await Self.execute(problem, budget: 100, searcher: "hyperband", path: folder.path + "/a.sqlite")
    #expect(report.stop == .budget)
    #expect(report.seconds <= 100 && report.seconds > 70)
    #expect(report.trials.count > 30)
  }

  @Test("what the problem says of a trial's time counts, corrected where it was too little")
  func expected() async throws {
    let folder = try TemporaryFolder()
    let clock = HandClock()
    let problem = TimedProblem(clock: clock, seconds: { 2 * (1 + $0.candidate.values[5]) }, expected: { 1 + $0.candidate.values[5] })
    let report = try await Self.execute(problem, budget: 300, path: folder.path + "/a.sqlite")
    #expect(report.stop == .budget)
    #expect(report.seconds <= 300)
    // The first trial could not be known to take twice as long; it fits.
    #expect(report.trials.count > 5)
  }

  @Test("a budget too small for one evaluation is an error that says how long one takes")
  func tooSmall() async throws {
    let folder = try TemporaryFolder()
    let problem = TimedProblem(clock: HandClock(), seconds: { _ in 12 }, expected: { _ in 12 })
    let error = await #expect(throws: SearchError.self) { try await Self.execute(problem, budget: 3, path: folder.path + "/a.sqlite") }
    #expect(error?.description.contains("3.0 s") == true && error?.description.contains("12.0 s") == true)
  }

  @Test("a resumed search has a budget of its own and knows the times of earlier trials")
  func resumed() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.sqlite"
    var counts: [Int] = []
    for _ in 0..<3 {
      let problem = TimedProblem(clock: HandClock()) { _ in 4 }
      let report = try await Self.execute(problem, budget: 30, path: path)
      #expect(report.seconds == 28)
      counts.append(report.trials.count)
    }
    #expect(counts == [7, 14, 21])
    // Four seconds are known to be needed, and three are given.
    let report = try await Self.execute(TimedProblem(clock: HandClock()) { _ in 4 }, budget: 3, path: path)
    #expect(report.trials.count == 21 && report.resumed == 21 && report.seconds == 0)
  }

  @Test("a limit of trials counts resumed ones")
  func limit() async throws {
    let folder = try TemporaryFolder()
    for (limit, resumed) in [(10, 0), (25, 10), (5, 5)] {
      let problem = TimedProblem(clock: HandClock()) { _ in 1 }
      let report = try await Self.execute(problem, budget: nil, path: folder.path + "/a.sqlite", limit: limit)
      #expect(report.stop == .trials)
      #expect(report.trials.count == limit && report.resumed == resumed)
    }
  }
}
