import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// What was measured, as a table for people, for a page and for programs. All times but the exact run's are shares of that one's.
struct ComparisonTable {
  private let runs: ComparedRuns
  private let title: String

  init(_ runs: ComparedRuns, model: LoadedModel, request: GenerationRequest) {
    self.runs = runs
    let guidance = request.guidanceScale ?? model.defaults.guidanceScale
    title =
      "\(model.name), \(request.solver ?? model.defaults.solver) with \(request.steps ?? model.defaults.steps) steps, guidance \(guidance), "
      + "\(Quantity.counted(request.prompts.count, "picture")), seeds from \(request.seeds[0]); \(Machine.threads) threads on \(model.device)"
  }

  private typealias Row = (way: ComparedRuns.Way, rivals: ComparedRuns.Rivals)

  private var rows: [Row] { [(runs.exact, ComparedRuns.Rivals())] + zip(runs.contenders, runs.rivals).map { ($0, $1) } }

  /// How many times as fast, by the median of the pictures' ratios.
  private func speed(_ way: ComparedRuns.Way) -> Double { Spread(way.shares.map { 1 / $0 }).median }

  /// Share of the modules of all evaluations, each model's own; `nil` where nobody acts inside the network, who would count them.
  private func computed(_ way: ComparedRuns.Way) -> Double? {
    way.run.possibleModules > 0 ? Double(way.run.modules) / Double(way.run.possibleModules) : nil
  }

  /// Multiplications relative to the exact run, by the first picture: branches, calls and models that are left out count as well.
  private func work(_ way: ComparedRuns.Way) -> Double? {
    runs.exact.run.multiplications > 0 ? way.run.multiplications / runs.exact.run.multiplications : nil
  }

  private func verdict(_ row: Row) -> StepLine.Verdict? {
    guard let own = row.way.likeness?.ssim else { return nil }
    return StepLine.verdict(own, faster: row.rivals.faster?.likeness?.ssim, slower: row.rivals.slower?.likeness?.ssim)
  }

  private static let heads = [
    "contender", "time", "middle half", "speed-up", "evaluations", "modules", "work", "PSNR", "SSIM", "perceptual", "Fréchet",
    "rivals", "their time", "their PSNR", "their SSIM", "verdict",
  ]

  private func cells(_ row: Row) -> [String] {
    let way = row.way
    guard let likeness = way.likeness else { return [Contender.shown(way.label), "cannot: \(way.problem ?? "")"] }
    func text(_ format: String, _ value: Double?) -> String { value.map { String(format: format, $0) } ?? "-" }
    func percent(_ format: String, _ values: [Double]) -> String {
      values.isEmpty ? "-" : values.map { text(format, $0 * 100) }.joined(separator: "-") + " %"
    }
    func rivals(_ format: String, _ value: (ComparedRuns.Way) -> Double?) -> String {
      let texts = row.rivals.all.map { text(format, value($0)) }
      return texts.isEmpty ? "-" : texts.joined(separator: "-")
    }
    let isExact = way.steps != nil
    let steps = row.rivals.all.compactMap(\.steps)
    let names = steps.isEmpty ? "-" : steps.map { "\($0)" }.joined(separator: "-") + (steps == [1] ? " step" : " steps")
    let middle = isExact ? "-" : percent("%.1f", [way.time.lower, way.time.upper])
    let evaluations = way.run.evaluations / max(1, way.run.pictures.count)
    return [
      Contender.shown(way.label), percent("%.1f", [way.time.median]), middle, text("%.2f", speed(way)), "\(evaluations)",
      percent("%.0f", [computed(way)].compactMap { $0 }), percent("%.0f", [work(way)].compactMap { $0 }),
      isExact ? "-" : text("%.2f", likeness.meanPSNR), isExact ? "-" : text("%.4f", likeness.meanSSIM),
      isExact ? "-" : text("%.4f", likeness.meanPerceptual), isExact ? "-" : text("%.2f", likeness.frechet),
      names, percent("%.1f", row.rivals.all.map(\.time.median)), rivals("%.2f") { $0.likeness?.meanPSNR },
      rivals("%.4f") { $0.likeness?.meanSSIM }, verdict(row)?.rawValue ?? "-",
    ]
  }

  /// What shares of times are of.
  private var scale: String {
    let times = Spread(runs.exact.run.loopSeconds)
    return String(
      format: "The exact run takes %.0f ms per picture (middle half %.0f-%.0f); all times are shares of that, picture by picture.",
      times.median * 1000, times.lower * 1000, times.upper * 1000)
  }

  var text: String {
    var table = TextTable(Self.heads.enumerated().map { .init(title: $1, style: $0 == 0 ? Screen.cyan : { $0 }) })
    for row in rows where row.way.problem == nil { table.add(cells(row)) }
    var lines = [title, scale, ""] + table.lines()
    for (way, _) in rows {
      if let problem = way.problem { lines.append("\(way.label) cannot be done: \(problem)") }
      for report in way.run.reports { lines.append("\(way.label): \(report.summary)") }
      lines += way.run.warnings.map { "\(way.label): warning: \($0)" }
    }
    return lines.joined(separator: "\n")
  }

  var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    var lines = [title + ". " + scale, "", line(Self.heads), line(Self.heads.map { _ in "---" })]
    for row in rows {
      let cells = cells(row)
      lines.append(line(cells + Array(repeating: "", count: Self.heads.count - cells.count)))
    }
    let warnings = rows.flatMap { row in row.way.run.warnings.map { "- \(Contender.shown(row.way.label)): \($0)" } }
    if !warnings.isEmpty { lines += ["", "Warnings:", ""] + warnings }
    return lines.joined(separator: "\n") + "\n"
  }

  /// 1 − SSIM over time: contenders as points, fewer steps as a line.
  func plot() -> PixelImage {
    func point(_ way: ComparedRuns.Way) -> (x: Double, y: Double)? {
      way.likeness.map { (way.time.median * 100, max(1e-6, 1 - $0.meanSSIM)) }
    }
    let line = runs.fewer.compactMap(point)
    // Long names would leave no room for the plot.
    var series = runs.contenders.compactMap { way in
      point(way).map { LinePlot.Series(String(Contender.shown(way.label).prefix(48)), [$0]) }
    }
    if !line.isEmpty { series.append(LinePlot.Series("fewer steps", line, color: RGBColor(120, 120, 130))) }
    var plot = LinePlot(
      title: title, xLabel: "time, % of the exact run's", yLabel: "1 - SSIM to the exact run", isLogarithmic: true, series: series)
    (plot.marksPoints, plot.hasLegendOutside) = (true, true)
    return plot.image(width: 1800, height: 900)
  }
}

extension ComparisonTable {
  /// Times are shares of the exact run's: `seconds` by `exact_seconds`, as the clock gave them in the same pass.
  var json: JSONValue {
    .object([
      "title": .string(title), "exact": .object(members(runs.exact)),
      "fewer_steps": .array(runs.fewer.map { .object(members($0)) }),
      "contenders": .array(
        rows.dropFirst().map { row in
          var members = self.members(row.way)
          if row.way.problem == nil { members["speedup"] = .number(speed(row.way)) }
          if let verdict = verdict(row) { members["verdict"] = .string(verdict.rawValue) }
          if let rival = row.rivals.faster { members["faster_rival"] = .object(self.members(rival)) }
          if let rival = row.rivals.slower { members["slower_rival"] = .object(self.members(rival)) }
          return .object(members)
        }),
    ])
  }

  private func members(_ way: ComparedRuns.Way) -> [String: JSONValue] {
    var members: [String: JSONValue] = [
      "label": .string(way.label), "seconds": .array(way.run.loopSeconds.map { .number($0) }),
      "exact_seconds": .array(way.exactSeconds.map { .number($0) }),
      "evaluations": .integer(way.run.evaluations),
      "computed_modules": computed(way).map { .number($0) } ?? .null, "work": work(way).map { .number($0) } ?? .null,
      "accelerators": .array(way.run.reports.map(\.json)),
      "warnings": .strings(way.run.warnings),
    ]
    if let steps = way.steps { members["steps"] = .integer(steps) }
    if let problem = way.problem { members["problem"] = .string(problem) }
    guard let likeness = way.likeness else { return members }
    members["times"] = .array(way.shares.map { .number($0) })
    members["time"] = .object([
      "median": .number(way.time.median), "lower": .number(way.time.lower), "upper": .number(way.time.upper),
    ])
    members["psnr"] = .number(likeness.meanPSNR)
    members["ssim"] = .number(likeness.meanSSIM)
    if let perceptual = likeness.meanPerceptual { members["perceptual"] = .number(perceptual) }
    if let frechet = likeness.frechet { members["frechet"] = .number(frechet) }
    return members
  }
}
