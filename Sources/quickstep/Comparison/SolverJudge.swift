import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor

/// Compares pictures with the reference's.
struct SolverJudge {
  struct Verdict {
    var evaluations: Int
    /// Of the sampling loop, per picture.
    var seconds: Double
    var psnr: Double
    var ssim: Double
    var perceptual: Double
    var frechet: Double
    var accuracy: Double?
  }

  private let reference: Tensor
  private let labels: [String]
  private let net: SqueezeNetFeatures
  private let classifier: DigitFeatures?
  private let statistics: GaussianStatistics

  init(reference: Tensor, labels: [String], net: SqueezeNetFeatures, classifier: DigitFeatures?) throws {
    self.reference = try withTensorErrors { reference.clamp(min: -1, max: 1) }
    self.labels = labels
    self.net = net
    self.classifier = classifier
    statistics = try GaussianStatistics(features: Self.features(self.reference, net, classifier))
  }

  func verdict(_ pixels: Tensor, evaluations: Int, seconds: Double) throws -> Verdict {
    let shown = try withTensorErrors { pixels.clamp(min: -1, max: 1) }
    let psnr = try PeakSignalToNoise.values(shown, reference)
    let ssim = try StructuralSimilarity.values(shown, reference)
    let perceptual = try PerceptualDistance(net).distances(shown, reference)
    let features = try Self.features(shown, net, classifier)
    var verdict = Verdict(
      evaluations: evaluations, seconds: seconds, psnr: Self.mean(psnr), ssim: Self.mean(ssim), perceptual: Self.mean(perceptual),
      frechet: try FrechetDistance.squared(GaussianStatistics(features: features), statistics))
    if let classifier {
      let found = try classifier.classes(shown)
      verdict.accuracy = Double(zip(found, labels).count { String($0) == $1 }) / Double(found.count)
    }
    return verdict
  }

  /// Features for the Fréchet distance: the classifier's for digits, SqueezeNet's otherwise.
  private static func features(_ pixels: Tensor, _ net: SqueezeNetFeatures, _ classifier: DigitFeatures?) throws -> Tensor {
    try classifier?.features(pixels) ?? net.features(pixels)
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
}

/// The verdicts as a table.
final class SolverTable {
  private let title: String
  private var rows: [(label: String, wanted: Int, verdict: SolverJudge.Verdict?, problem: String?)] = []

  init(title: String) { self.title = title }

  func add(_ label: String, _ wanted: Int, _ verdict: SolverJudge.Verdict) { rows.append((label, wanted, verdict, nil)) }
  func add(_ label: String, _ wanted: Int, problem: String) { rows.append((label, wanted, nil, problem)) }

  var markdown: String {
    var lines = [
      title + ".", "",
      "| evaluations | contender | made | PSNR, dB | SSIM | perceptual | Fréchet | recognised | ms per picture |",
      "|---|---|---|---|---|---|---|---|---|",
    ]
    let groups = rows.reduce(into: [Int]()) { if !$0.contains($1.wanted) { $0.append($1.wanted) } }
    for wanted in groups {
      for row in rows where row.wanted == wanted {
        guard let verdict = row.verdict else {
          lines.append("| \(wanted) | \(row.label) | – | \(row.problem ?? "") | | | | | |")
          continue
        }
        let accuracy = verdict.accuracy.map { String(format: "%.1f %%", $0 * 100) } ?? "–"
        lines.append(
          "| \(wanted) | \(row.label) | \(verdict.evaluations) | "
            + String(format: "%.2f | %.4f | %.4f | %.3f | ", verdict.psnr, verdict.ssim, verdict.perceptual, verdict.frechet)
            + "\(accuracy) | " + String(format: "%.1f |", verdict.seconds * 1000))
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  var json: JSONValue {
    .object([
      "title": .string(title),
      "rows": .array(
        rows.map { row in
          var members: [String: JSONValue] = ["contender": .string(row.label), "evaluations": .integer(row.wanted)]
          if let problem = row.problem { members["problem"] = .string(problem) }
          if let verdict = row.verdict {
            members["made"] = .integer(verdict.evaluations)
            members["psnr"] = .number(verdict.psnr)
            members["ssim"] = .number(verdict.ssim)
            members["perceptual"] = .number(verdict.perceptual)
            members["frechet"] = .number(verdict.frechet)
            members["seconds"] = .number(verdict.seconds)
            if let accuracy = verdict.accuracy { members["accuracy"] = .number(accuracy) }
          }
          return .object(members)
        }),
    ])
  }
}
