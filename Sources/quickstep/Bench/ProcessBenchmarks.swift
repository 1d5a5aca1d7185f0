import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// Whole runs of this program from outside: wall time and peak memory as the operating system accounts for them.
enum ProcessBenchmark {
  static func rows(model: LoadedModel, rounds: Int) throws -> [BenchRow] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("quickstep-bench-\(getpid())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let prompt = model.classCount == nil ? "red apple" : "7"
    // What the other figures of the report were measured with.
    let machine = ["--threads", String(Machine.threads)]
    let commands: [(String, [String])] = [
      ("libtorch loaded, one operator", ["bench", "--idle"] + machine),
      (
        "generate, \(model.name)",
        [
          "generate", prompt, "--model", model.folder, "--steps", "20", "--seed", "1", "--quiet", "--json", "--output",
          folder + "/picture.png", "--device", "\(model.device)", "--dtype", "\(model.dtype)",
        ] + machine
      ),
    ]
    return try commands.map { name, arguments in
      let runs = try (0..<max(3, rounds / 2)).map { _ in try ChildProcess.run(arguments, scratch: folder + "/report.json") }
      return BenchRow([
        "process": name, "wall, s": Spread.bench(runs.map(\.seconds)).text(), "CPU, s": Spread.bench(runs.map(\.cpuSeconds)).text(),
        "peak RSS, MB": Spread.bench(runs.map { Double($0.peakBytes) / 1e6 }).text(digits: 0),
      ])
    }
  }
}

/// Runs this very program again.
enum ChildProcess {
  struct Usage { var seconds, cpuSeconds: Double; var peakBytes: Int }

  /// Runs the program with arguments that make it print a JSON object with `peak_memory_bytes`. The system's own account of a child's peak
  /// begins with what its parent had in memory, which is more.
  /// - Parameter scratch: a file for what it prints.
  static func run(_ arguments: [String], scratch: String) throws -> Usage {
    let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    var pointers = ([executable] + arguments).map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, scratch, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    var child = pid_t()
    var status: Int32 = 0
    var usage = rusage()
    let seconds = try stopwatch {
      guard posix_spawn(&child, executable, &actions, nil, &pointers, environ) == 0, wait4(child, &status, 0, &usage) == child else {
        throw FormatError(executable, "cannot be started")
      }
    }
    guard status == 0 else { throw FormatError(executable, "'\(arguments.joined(separator: " "))' failed with status \(status >> 8)") }
    func value(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    guard let peak = try JSONValue(path: scratch)["peak_memory_bytes"]?.integer else {
      throw FormatError(scratch, "'\(arguments.joined(separator: " "))' did not report its memory")
    }
    return Usage(seconds: seconds, cpuSeconds: value(usage.ru_utime) + value(usage.ru_stime), peakBytes: peak)
  }
}

/// Another program that evaluates the same networks on request, over its standard input and output.
final class PeerProcess {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var buffer = Data()
  /// What the peer calls itself.
  private(set) var name = "peer"

  init(command: String, threads: Int) throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command.split(separator: " ").map(String.init) + ["--threads", String(threads)]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
  }

  /// A whole sampling loop of a network.
  struct Loop {
    var folder: String
    var steps: Int
    /// Whether two branches are evaluated in each step.
    var guided: Bool
  }

  /// Seconds of each of `repeats` loops of DDIM.
  /// - Throws: `FormatError` with the peer's own words when it cannot.
  func seconds(_ loop: Loop, repeats: Int) throws -> [Double] {
    try answer("sample \(loop.folder) \(loop.steps) \(loop.guided ? 2 : 1) \(repeats)")
  }

  /// Seconds of each of `repeats` evaluations.
  /// - Throws: `FormatError` with the peer's own words when it cannot.
  func seconds(folder: String, batch: Int, repeats: Int) throws -> [Double] { try answer("run \(folder) \(batch) \(repeats)") }

  private func answer(_ request: String) throws -> [Double] {
    try input.fileHandleForWriting.write(contentsOf: Data((request + "\n").utf8))
    let answer = try JSONValue(parsing: try line(), name: "the peer's answer")
    if let error = answer["error"]?.string { throw FormatError("peer", error) }
    if let name = answer["peer"]?.string { self.name = name }
    guard let seconds = answer["seconds"]?.array?.compactMap(\.double), !seconds.isEmpty else {
      throw FormatError("peer", "answered without 'seconds'")
    }
    return seconds
  }

  private func line() throws -> String {
    while true {
      if let end = buffer.firstIndex(of: 10) {
        let line = String(decoding: buffer[buffer.startIndex..<end], as: UTF8.self)
        buffer = Data(buffer[buffer.index(after: end)...])
        return line
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw FormatError("peer", "ended without an answer") }
      buffer.append(more)
    }
  }

  func end() {
    try? input.fileHandleForWriting.write(contentsOf: Data("quit\n".utf8))
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}
