// Exit tests run their body in a process of its own; older compilers do not have them.
#if compiler(>=6.2)
  import Foundation
  import QuickstepFormats
  import QuickstepNN
  import QuickstepTesting
  import QuickstepTuner
  import Testing

  @Suite("A search that is killed", .serialized) struct KillTests {
    /// Where child and parent meet: the number of the parent is the only thing a child knows of it.
    static func folder(of parent: pid_t) -> String {
      FileManager.default.temporaryDirectory.appendingPathComponent("quickstep-killed-\(parent)").path
    }

    static let settings = SearchRun.Settings(
      searcher: "nsga-2", parameters: ["population": "12"], seed: 6, trialLimit: 60, concurrency: 2, window: 3, failureLimit: 50)

    /// Notes every evaluation in a file, and kills its process at one of them.
    static func problem(in folder: String, killAt moment: Int) -> CountedProblem {
      CountedProblem { count in
        let log = open(folder + "/log", O_WRONLY | O_APPEND | O_CREAT, 0o600)
        _ = write(log, ".", 1)
        close(log)
        if count == moment { kill(getpid(), SIGKILL) }
        await Task.yield()
      }
    }

    static func work(in folder: String, killAt moment: Int) async throws -> SearchReport {
      let problem = problem(in: folder, killAt: moment)
      let archive = try TrialArchive(path: folder + "/a.sqlite", problem: problem)
      return try await SearchRun(problem: problem, archive: archive, settings: settings).execute()
    }

    @Test("SIGKILL at any moment loses nothing that was recorded, and the sequence goes on")
    func killed() async throws {
      let folder = Self.folder(of: getpid())
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      var counts = [0]
      for _ in 0..<5 {
        await #expect(processExitsWith: .signal(SIGKILL)) {
          let folder = KillTests.folder(of: getppid())
          // Another moment for every child, from what the ones before have left.
          let logged = FileManager.default.contents(atPath: folder + "/log")?.count ?? 0
          // Half of them are killed by the clock, wherever they are: asking, evaluating or writing.
          if logged % 2 == 1 {
            Thread.detachNewThread {
              usleep(UInt32(3000 + logged * 911 % 9000))
              kill(getpid(), SIGKILL)
            }
          }
          _ = try? await KillTests.work(in: folder, killAt: 4 + logged % 7)
          // Not reached unless the search was done or failed.
          exit(1)
        }
        guard FileManager.default.fileExists(atPath: folder + "/a.sqlite") else { continue }
        let trials = try TrialArchive(reading: folder + "/a.sqlite").trials()
        counts.append(trials.count)
      }
      #expect(counts == counts.sorted() && (counts.last ?? 0) > 3)
      let report = try await Self.work(in: folder, killAt: .max)
      #expect(report.resumed == counts.last)
      #expect(report.stop == .trials)
      let whole = try TemporaryFolder()
      let expected = try await Self.work(in: whole.path, killAt: .max)
      #expect(report.trials.map(\.timeless) == expected.trials.map(\.timeless))
      // Each kill costs at most the trials that were being evaluated.
      let logged = FileManager.default.contents(atPath: folder + "/log")?.count ?? 0
      let needed = FileManager.default.contents(atPath: whole.path + "/log")?.count ?? 0
      #expect(logged <= needed + 5 * Self.settings.concurrency)
    }
  }
#endif
