import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepPipelines

/// What chains did, for the user.
struct ChainFigures {
  private let report: ChainReport
  private let sigmas: Autocorrelation

  init(_ report: ChainReport) {
    self.report = report
    sigmas = report.record.autocorrelation(lags: 50)
  }

  var text: String {
    let record = report.record
    let moves = Double(max(1, record.moves))
    var lines = [
      String(
        format: "%d chains (unadjusted: no move is rejected): burn-in %d evaluations each, then %d per picture; %.1f per picture in all",
        report.chains, report.burnInEvaluations, report.pictureEvaluations, report.amortisedEvaluations),
      String(
        format: "σ rose in %.0f %%, fell in %.0f %% and was held back in %.0f %% of %d moves; as many as %.0f independent values",
        100 * Double(record.raised) / moves, 100 * Double(record.lowered) / moves, 100 * Double(record.clamped) / moves, record.moves,
        sigmas.effectiveCount),
    ]
    let (bounds, counts) = record.histogram(bins: 8)
    if !counts.isEmpty {
      let parts = zip(zip(bounds, bounds.dropFirst()), counts).map { ends, count in
        String(format: "%.3g–%.3g: %.0f %%", ends.0, ends.1, 100 * Double(count) / moves)
      }
      lines.append("σ/α " + parts.joined(separator: ", "))
    }
    if let pictures = report.pictureCorrelation {
      let first = pictures.values.dropFirst().prefix(3).map { String(format: "%.2f", $0) }.joined(separator: ", ")
      lines.append(
        "pictures of a chain correlate by \(first.isEmpty ? "–" : first) at lags 1, 2, 3: \(pictures.count) of them count as "
          + String(format: "%.0f", pictures.effectiveCount)
          + (report.chains == report.prompts ? ", leaving aside what all pictures of a prompt's only chain share" : ""))
    }
    return lines.joined(separator: "\n  ")
  }

  var json: JSONValue {
    let (bounds, counts) = report.record.histogram()
    var members: [String: JSONValue] = [
      "chains": .integer(report.chains), "pictures": .integer(report.pictures), "prompts": .integer(report.prompts),
      "metropolis": .string("unadjusted"),
      "burn_in_evaluations": .integer(report.burnInEvaluations), "evaluations_per_picture": .integer(report.pictureEvaluations),
      "amortised_evaluations_per_picture": .number(report.amortisedEvaluations), "total_evaluations": .integer(report.totalEvaluations),
      "sigma_moves": .object([
        "all": .integer(report.record.moves), "raised": .integer(report.record.raised), "lowered": .integer(report.record.lowered),
        "held_back": .integer(report.record.clamped),
      ]),
      "sigma_histogram": .object(["bounds": .array(bounds.map { .number($0) }), "counts": .array(counts.map { .integer($0) })]),
      "sigma_correlation": json(sigmas),
    ]
    if let pictures = report.pictureCorrelation { members["picture_correlation"] = json(pictures) }
    return .object(members)
  }

  private func json(_ correlation: Autocorrelation) -> JSONValue {
    .object([
      "lags": .array(correlation.values.map { .number($0) }), "values": .integer(correlation.count),
      "effective": .number(correlation.effectiveCount),
    ])
  }
}
