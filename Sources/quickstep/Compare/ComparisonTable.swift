import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// What was measured, as a table for people, for a page and for programs.
struct ComparisonTable {
  private let runs: ComparedRuns
  private let title: String
  /// Attentions, feed-forward layers and residual blocks of one evaluation.
  private let modules: Int

  init(_ runs: ComparedRuns, model: LoadedModel, request: GenerationRequest) {
    self.runs = runs
    let guidance = request.guidanceScale ?? model.defaults.guidanceScale
    title =
      "\(model.name), \(request.solver ?? model.defaults.solver) with \(request.steps ?? model.defaults.steps) steps, guidance \(guidance), "
      + "\(Quantity.counted(request.prompts.count, "picture")), seeds from \(request.seeds[0]); \(Machine.threads) threads on \(model.device)"
    modules = model.backbone.sites.count { [.attention, .crossAttention, .feedForward, .residual].contains($0.kind) }
  }

  private var rows: [(way: ComparedRuns.Way, rival: ComparedRuns.Way?)] {
    [(runs.exact, nil)] + zip(runs.contenders, runs.rivals).map { ($0, $1) }
  }

  /// How often faster, by the median of the pictures' ratios.
  private func speed(_ way: ComparedRuns.Way) -> Double {
    Spread(zip(runs.exact.run.loopSeconds, way.run.loopSeconds).map { $0 / $1 }).median
  }

  /// Share of the modules of all evaluations; `nil` where nobody acts inside the network, who would count them.
  private func computed(_ way: ComparedRuns.Way) -> Double? {
    way.run.modules == 0 ? nil : Double(way.run.modules) / Double(max(1, modules * way.run.evaluations))
  }

  /// Multiplications relative to the exact run, by the first picture: branches, calls and models that are left out count as well.
  private func work(_ way: ComparedRuns.Way) -> Double? {
    runs.exact.run.multiplications > 0 ? way.run.multiplications / runs.exact.run.multiplications : nil
  }

  private static let heads = [
    "contender", "ms", "middle half", "times", "evaluations", "modules", "work", "PSNR", "SSIM", "perceptual", "Fréchet",
    "rival", "its PSNR", "its SSIM", "its ms", "verdict",
  ]

  /// Whether the exact run with fewer steps comes as near in the time of this way, by the interval of the paired difference of SSIM: what cannot be
  /// told from chance is "even".
  private func verdict(_ way: ComparedRuns.Way, _ rival: ComparedRuns.Way?) -> String? {
    guard let own = way.likeness?.ssim, let other = rival?.likeness?.ssim, own.count > 1,
      let loss = try? PairedDifference(candidate: own, baseline: other, direction: .higherIsBetter).estimate()
    else { return nil }
    return loss.upper < 0 ? "better" : loss.lower > 0 ? "worse" : "even"
  }

  private func cells(_ way: ComparedRuns.Way, _ rival: ComparedRuns.Way?) -> [String] {
    guard let likeness = way.likeness else { return [Contender.shown(way.label), "cannot: \(way.problem ?? "")"] }
    func text(_ format: String, _ value: Double?) -> String { value.map { String(format: format, $0) } ?? "-" }
    let times = Spread(way.run.loopSeconds)
    let spread = [times.lower, times.upper].map { text("%.0f", $0 * 1000) }.joined(separator: "-")
    let isExact = way.label == runs.exact.label
    return [
      Contender.shown(way.label), text("%.0f", way.median * 1000), spread, text("%.2f", speed(way)),
      "\(way.run.evaluations / max(1, way.run.pictures.count))", text("%.0f %%", computed(way).map { $0 * 100 }),
      text("%.0f %%", work(way).map { $0 * 100 }),
      isExact ? "-" : text("%.2f", likeness.meanPSNR), isExact ? "-" : text("%.4f", likeness.meanSSIM),
      isExact ? "-" : text("%.4f", likeness.meanPerceptual), isExact ? "-" : text("%.2f", likeness.frechet), rival?.label ?? "-",
      text("%.2f", rival?.likeness?.meanPSNR), text("%.4f", rival?.likeness?.meanSSIM), text("%.0f", rival.map { $0.median * 1000 }),
      verdict(way, rival) ?? "-",
    ]
  }

  var text: String {
    var table = TextTable(Self.heads.enumerated().map { .init(title: $1, style: $0 == 0 ? Screen.cyan : { $0 }) })
    for (way, rival) in rows where way.problem == nil { table.add(cells(way, rival)) }
    var lines = [title, ""] + table.lines()
    for (way, _) in rows {
      if let problem = way.problem { lines.append("\(way.label) cannot be done: \(problem)") }
      for report in way.run.reports { lines.append("\(way.label): \(report.summary)") }
      lines += way.run.warnings.map { "\(way.label): warning: \($0)" }
    }
    return lines.joined(separator: "\n")
  }

  var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    var lines = [title + ".", "", line(Self.heads), line(Self.heads.map { _ in "---" })]
    for (way, rival) in rows {
      let cells = cells(way, rival)
      lines.append(line(cells + Array(repeating: "", count: Self.heads.count - cells.count)))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// 1 − SSIM over time: contenders as points, fewer steps as a line.
  func plot() -> PixelImage {
    func point(_ way: ComparedRuns.Way) -> (x: Double, y: Double)? {
      way.likeness.map { (way.median * 1000, max(1e-6, 1 - $0.meanSSIM)) }
    }
    let line = runs.rivals.compactMap { $0 }.compactMap(point).sorted { $0.x < $1.x }
    // Long names would leave no room for the plot.
    var series = runs.contenders.compactMap { way in point(way).map { LinePlot.Series(String(Contender.shown(way.label).prefix(48)), [$0]) }
    }
    if !line.isEmpty { series.append(LinePlot.Series("fewer steps", line, color: RGBColor(120, 120, 130))) }
    var plot = LinePlot(title: title, xLabel: "ms per picture", yLabel: "1 - SSIM to the exact run", isLogarithmic: true, series: series)
    (plot.marksPoints, plot.hasLegendOutside) = (true, true)
    return plot.image(width: 1800, height: 900)
  }

  var json: JSONValue {
    func way(_ way: ComparedRuns.Way) -> [String: JSONValue] {
      var members: [String: JSONValue] = [
        "label": .string(way.label), "seconds": .array(way.run.loopSeconds.map { .number($0) }),
        "evaluations": .integer(way.run.evaluations),
        "computed_modules": computed(way).map { .number($0) } ?? .null, "work": work(way).map { .number($0) } ?? .null,
        "accelerators": .array(way.run.reports.map(\.json)),
        "warnings": .strings(way.run.warnings),
      ]
      if let problem = way.problem { members["problem"] = .string(problem) }
      if let likeness = way.likeness {
        members["psnr"] = .number(likeness.meanPSNR)
        members["ssim"] = .number(likeness.meanSSIM)
        if let perceptual = likeness.meanPerceptual { members["perceptual"] = .number(perceptual) }
        if let frechet = likeness.frechet { members["frechet"] = .number(frechet) }
      }
      return members
    }
    return .object([
      "title": .string(title), "exact": .object(way(runs.exact)),
      "contenders": .array(
        zip(runs.contenders, runs.rivals).map { contender, rival in
          var members = way(contender)
          if contender.problem == nil { members["speedup"] = .number(speed(contender)) }
          if let verdict = verdict(contender, rival) { members["verdict"] = .string(verdict) }
          if let rival { members["rival"] = .object(way(rival)) }
          return .object(members)
        }),
    ])
  }
}
