import Foundation
import QuickstepFormats

/// The verdicts as a table.
final class SolverTable {
  private let title: String
  private var rows: [(label: String, wanted: Int, verdict: SolverJudge.Verdict?, problem: String?)] = []
  private var reference: (evaluations: Int, frechetToData: Double?, accuracy: Double?)?

  init(title: String) { self.title = title }

  func add(_ label: String, _ wanted: Int, _ verdict: SolverJudge.Verdict) { rows.append((label, wanted, verdict, nil)) }
  func add(_ label: String, _ wanted: Int, problem: String) { rows.append((label, wanted, nil, problem)) }
  func add(reference: (evaluations: Int, frechetToData: Double?, accuracy: Double?)) { self.reference = reference }

  /// Columns that stand in every row, those that some comparisons have, and the time.
  private var columns: [String] {
    ["evaluations", "contender", "made", "PSNR, dB", "SSIM", "perceptual", "Fréchet"]
      + (hasData ? ["Fréchet to data"] : []) + (isRecognised ? ["recognised"] : []) + ["ms per picture"]
  }

  private var hasData: Bool { reference?.frechetToData != nil || rows.contains { $0.verdict?.frechetToData != nil } }
  private var isRecognised: Bool { reference?.accuracy != nil || rows.contains { $0.verdict?.accuracy != nil } }

  var markdown: String {
    let groups = rows.reduce(into: [Int]()) { if !$0.contains($1.wanted) { $0.append($1.wanted) } }
    var table = [columns, columns.map { _ in "---" }]
    for wanted in groups { table += rows.filter { $0.wanted == wanted }.map(cells) }
    if let reference, hasData || isRecognised {
      table.append(
        ["\(reference.evaluations)", "the reference itself", "\(reference.evaluations)", "", "", "", ""]
          + extra(reference.frechetToData, reference.accuracy) + [""])
    }
    let lines = table.map { "| " + $0.joined(separator: " | ") + " |" }.map { $0.hasPrefix("| ---") ? $0.replacing(" ", with: "") : $0 }
    return ([title + ".", ""] + lines).joined(separator: "\n") + "\n"
  }

  private func cells(_ row: (label: String, wanted: Int, verdict: SolverJudge.Verdict?, problem: String?)) -> [String] {
    guard let verdict = row.verdict else {
      return ["\(row.wanted)", Contender.shown(row.label), "–", row.problem ?? ""] + columns.dropFirst(4).map { _ in "" }
    }
    let figures = [(verdict.psnr, 2), (verdict.ssim, 4), (verdict.perceptual, 4), (verdict.frechet, 3)]
    return ["\(row.wanted)", Contender.shown(row.label), "\(verdict.evaluations)"] + figures.map { String(format: "%.\($0.1)f", $0.0) }
      + extra(verdict.frechetToData, verdict.accuracy) + [String(format: "%.1f", verdict.seconds * 1000)]
  }

  private func extra(_ distance: Double?, _ accuracy: Double?) -> [String] {
    (hasData ? [distance.map { String(format: "%.3f", $0) } ?? "–"] : [])
      + (isRecognised ? [accuracy.map { String(format: "%.1f %%", $0 * 100) } ?? "–"] : [])
  }

  var json: JSONValue {
    var members: [String: JSONValue] = ["title": .string(title), "rows": .array(rows.map(json))]
    if let distance = reference?.frechetToData { members["reference_frechet_to_data"] = .number(distance) }
    return .object(members)
  }

  private func json(_ row: (label: String, wanted: Int, verdict: SolverJudge.Verdict?, problem: String?)) -> JSONValue {
    var members: [String: JSONValue] = ["contender": .string(row.label), "evaluations": .integer(row.wanted)]
    if let problem = row.problem { members["problem"] = .string(problem) }
    if let verdict = row.verdict {
      members["made"] = .integer(verdict.evaluations)
      members["psnr"] = .number(verdict.psnr)
      members["ssim"] = .number(verdict.ssim)
      members["perceptual"] = .number(verdict.perceptual)
      members["frechet"] = .number(verdict.frechet)
      members["seconds"] = .number(verdict.seconds)
      if let distance = verdict.frechetToData { members["frechet_to_data"] = .number(distance) }
      if let accuracy = verdict.accuracy { members["accuracy"] = .number(accuracy) }
    }
    return .object(members)
  }
}
