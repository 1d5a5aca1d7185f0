import Foundation
import QuickstepFormats

/// Verdicts of a long comparison kept in a file, so that it can be stopped and taken up again.
struct MeasuredRuns {
  private struct Contents: Codable {
    /// Model, reference, pictures and seeds: verdicts of other settings are not taken.
    var key: String
    var verdicts: [String: SolverJudge.Verdict] = [:]
  }
  private let path: String?
  private var contents: Contents

  /// - Parameter path: `nil` keeps nothing.
  /// - Throws: `FormatError` for a file that is there and holds something else, or verdicts of other settings.
  init(path: String?, key: String) throws {
    self.path = path
    contents = Contents(key: key)
    guard let path, let data = FileManager.default.contents(atPath: path) else { return }
    guard let found = try? JSONDecoder().decode(Contents.self, from: data) else {
      throw FormatError(path, "holds no verdicts of 'evaluate solvers'")
    }
    guard found.key == key else { throw FormatError(path, "holds verdicts of other settings: '\(found.key)', not '\(key)'") }
    contents = found
  }

  private static func name(_ contender: String, _ evaluations: Int) -> String { "\(evaluations) \(contender)" }

  func verdict(_ contender: String, _ evaluations: Int) -> SolverJudge.Verdict? {
    contents.verdicts[Self.name(contender, evaluations)]
  }

  mutating func keep(_ verdict: SolverJudge.Verdict, _ contender: String, _ evaluations: Int) throws {
    contents.verdicts[Self.name(contender, evaluations)] = verdict
    guard let path else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write(Array(encoder.encode(contents)), to: path, makeFolder: true)
  }
}
