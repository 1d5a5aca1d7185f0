import Foundation
import QuickstepNN

extension Tableau: CustomStringConvertible {
  /// The table as aligned text, one line per row:
  ///
  ///     ddim: 2 steps, 2 evaluations, 0 noises, at most 3 registers
  ///     step  evaluates                       makes
  ///     0     m0 = x0 at 999 (λ -2.684)       x1 = 0.9 x0 + 0.3 m0
  ///     1     m1 = x1 at 499 (λ -0.5)         x2 = 1 m1
  public var description: String {
    var evaluations = 0
    var lines = [["step", "evaluates", "makes"]]
    for (index, row) in rows.enumerated() {
      var call = ""
      if let evaluation = row.evaluation {
        call = "m\(evaluations) = x\(evaluation.state) at \(short(evaluation.level.timestep)) (λ \(short(evaluation.level.lambda)))"
        evaluations += 1
      }
      let sum = row.terms.enumerated().map { position, term in
        let value = term.coefficient.scalar
        let sign = position == 0 ? (value < 0 ? "-" : "") : (value < 0 ? " - " : " + ")
        return "\(sign)\(term.coefficient.field == nil ? "" : "~")\(short(abs(value))) \(term.register)"
      }
      lines.append(["\(row.step)" + (row.finishesStep ? "" : "·"), call, "x\(index + 1) = " + sum.joined()])
    }
    let title = "\(solver): \(stepCount) steps, \(evaluationCount) evaluations, \(noiseCount) noises, at most \(peakRegisters) registers"
    return title + "\n" + aligned(lines)
  }
}

/// Six significant digits, without trailing zeros.
private func short(_ value: Double) -> String { String(format: "%.6g", value) }

/// Pads every column but the last to its widest entry.
private func aligned(_ lines: [[String]]) -> String {
  let columns = lines.first?.count ?? 0
  let widths = (0..<columns).map { column in lines.map { $0[column].count }.max() ?? 0 }
  return lines.map { line in
    line.enumerated().map { column, text in
      column == columns - 1 ? text : text + String(repeating: " ", count: widths[column] - text.count)
    }.joined(separator: "  ")
  }.joined(separator: "\n")
}
