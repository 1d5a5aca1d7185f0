import Foundation
import QuickstepEvaluation
public import QuickstepFormats
import QuickstepModels
import QuickstepPipelines
import QuickstepTensor

/// What tuning came to, for people: a picture of the front, and a page that holds everything in one file.
public struct TuningReport: Sendable {
  let result: TuningResult
  /// What reaches the target; `nil` where nothing does.
  let recipe: Recipe?
  let machine: Recipe.Machine
  /// How the prompts of the search and of the check were chosen, seconds of all, in words for people.
  let notes: [String]

  /// - Parameters:
  ///   - recipe: what reaches the target; `nil` where nothing does.
  ///   - machine: what was measured on.
  ///   - notes: sentences about how it was measured.
  public init(_ result: TuningResult, recipe: Recipe?, machine: Recipe.Machine, notes: [String] = []) {
    (self.result, self.recipe, self.machine, self.notes) = (result.inMeasuredTime, recipe, machine, notes)
  }

  var title: String { "\(result.model.name): ways to sample beside \(result.exact.settings)" }

  /// Losses of 0 have no place on a logarithmic axis.
  static func shown(_ loss: Double) -> Double { max(loss, 1e-5) }

  func loss(_ point: TuningResult.Point) -> Double { result.measure.loss(point.quality[0].estimate.value) }

  /// Loss against time: the front and its rivals as they were checked, and beside them what the search saw of every single method.
  public func plot() -> PixelImage {
    func points(_ tried: [TuningResult.Tried]) -> [(x: Double, y: Double)] {
      TuningResult.front(tried).filter { $0.loss <= 1 }.map { ($0.seconds * 1000, Self.shown($0.loss)) }
    }
    func point(_ point: TuningResult.Point) -> (x: Double, y: Double) { (point.seconds.median * 1000, Self.shown(loss(point))) }
    var series = [LinePlot.Series("found, checked", result.front.map(point).sorted { $0.x < $1.x }, color: RGBColor(200, 30, 60))]
    let rivals = Dictionary(result.rivals.compactMap { $0 }.map { ($0.settings.steps ?? 0, point($0)) }) { first, _ in first }
    series.append(
      LinePlot.Series("fewer steps, checked", rivals.values.sorted { $0.x < $1.x }, color: RGBColor(60, 60, 70)))
    series.append(LinePlot.Series("fewer steps (search)", points(result.singles[""] ?? []), color: RGBColor(160, 160, 170)))
    // More of them than a legend holds would hide the plot; the page has them all.
    for name in result.bestSingles.prefix(8).sorted() {
      let line = points(result.singles[name] ?? [])
      if !line.isEmpty { series.append(LinePlot.Series("\(name) (search)", line)) }
    }
    var plot = LinePlot(
      title: title, xLabel: "ms per picture", yLabel: "loss: distance of \(result.measure.name) to equal pictures", isLogarithmic: true,
      series: series)
    (plot.hasLogarithmicX, plot.marksPoints, plot.hasLegendOutside) = (true, true, true)
    return plot.image(width: 1800, height: 1000)
  }

  /// The exact run's pictures and those of every point of the front, a row each.
  func sheet(pictures count: Int = 8) throws -> PixelImage {
    let ways = [result.exact.way] + result.front.map(\.way)
    let shown = ways.filter { $0.pictures.count == result.exact.way.pictures.count }
    let columns = min(count, result.exact.way.pictures.count)
    let pictures = try shown.flatMap { try $0.pictures.prefix(columns).map { try PixelImage(tensor: $0) } }
    let scale = max(1, 96 / max(1, pictures.map(\.width).max() ?? 96))
    let labels = shown.enumerated().flatMap { index, way in
      way.pictures.prefix(columns).enumerated().map { place, _ in index == 0 ? way.request.prompts[place] : "\(index)" }
    }
    return try ContactSheet.make(pictures.map { $0.enlarged(by: scale) }, columns: columns, labels: labels)
  }

  /// The page: everything in one file, pictures included.
  public func html() throws -> String {
    let image = Data(try PNG.encode(sheet())).base64EncodedString()
    var parts = [heading]
    parts.append(FrontChart(report: self).svg)
    parts.append("<h2>Checked on pictures the search had not seen</h2>" + pointsTable)
    if let kept = keptTable { parts.append("<h2>Figures that had to be kept</h2>" + kept) }
    parts.append(
      "<p>Row by row: the exact run, then the points of the table.</p><img alt=\"sample pictures\" src=\"data:image/png;base64,\(image)\">")
    parts.append("<h2>What each method does alone</h2>" + singlesTable)
    parts.append("<h2>How it was measured</h2>" + measuredText)
    if let recipe {
      parts.append("<h2>The recipe</h2><pre>\(Self.escaped(try ConfigurationFile.pretty(recipe.json)))</pre>")
    }
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(Self.escaped(title))</title>
      <style>
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
      h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
      table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
      th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
      th:first-child, td:first-child, td.name, th.name { text-align: left; white-space: normal; }
      tr.chosen { background: #fff3d6; } .rival { color: #666; }
      pre { background: #f5f5f7; padding: 1rem; overflow-x: auto; font-size: .85rem; }
      svg { width: 100%; height: auto; } img { max-width: 100%; image-rendering: pixelated; }
      .lead { font-size: 1.15rem; }
      </style></head><body>
      \(parts.joined(separator: "\n"))
      </body></html>

      """
  }

  private var heading: String {
    var lines = ["<h1>\(Self.escaped(title))</h1>"]
    if let recipe, let measured = recipe.measured, let quality = measured.quality.first {
      lines.append(
        "<p class=\"lead\"><b>\(Self.escaped(recipe.sampling.title))</b> takes \(Self.milliseconds(measured.seconds.median)) per picture: "
          + "<b>\(Recipe.digits(measured.speedUp.median, 1)) times as fast</b> as the exact run, at \(quality.metric) "
          + "\(Recipe.digits(quality.value, 4)) to it (\(Recipe.digits(quality.lower, 4))–\(Recipe.digits(quality.upper, 4))).</p>")
      if let rival = quality.rival, let steps = measured.rivalSteps, let seconds = measured.rivalSeconds {
        lines.append(
          "<p>The exact run with \(steps) steps takes \(Self.milliseconds(seconds.median)) and reaches \(Recipe.digits(rival, 4)).</p>")
      }
    } else {
      lines.append("<p class=\"lead\">Nothing reaches the target. Nearest: \(Self.escaped(result.nearest ?? "nothing")).</p>")
    }
    let volumes = result.volumes
    let worst = FrontArea(result.tried, measure: result.measure, exactSeconds: result.exactSeconds).worstLoss
    lines.append(
      "<p>Of the area between the exact run's time and a loss of \(Recipe.digits(worst, 2)), all ways together cover \(Self.percent(volumes.joint)), "
        + "the best single method (\(Self.escaped(volumes.singleName)), with fewer steps) \(Self.percent(volumes.single)), fewer steps alone "
        + "\(Self.percent(volumes.fewerSteps)); on the search's pictures, by predicted times.</p>")
    return lines.joined(separator: "\n")
  }

  private var pointsTable: String {
    let metrics = result.exact.quality.map(\.metric)
    func cells(_ point: TuningResult.Point, _ name: String, _ style: String) -> String {
      let figures = point.quality.map { entry in
        let estimate = entry.estimate
        let texts = [estimate.value, estimate.lower, estimate.upper].map { Recipe.digits($0, abs(estimate.value) < 2 ? 4 : 2) }
        return "\(texts[0]) <small>(\(texts[1])–\(texts[2]))</small>"
      }
      let numbers = [
        Self.milliseconds(point.seconds.median),
        "\(Recipe.digits(point.seconds.lower * 1000, 0))–\(Recipe.digits(point.seconds.upper * 1000, 0)) ms",
        Recipe.digits(point.speedUp.median, 2) + "×",
        Recipe.digits(Double(point.way.evaluations) / Double(max(1, point.way.pictures.count)), 1),
        Recipe.digits(point.way.multiplications / 1e9, 2), Recipe.digits(Double(point.way.peakBytes) / 1_048_576, 1),
      ]
      return "<tr class=\"\(style)\"><td>\(name)</td>" + (numbers + figures).map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    let heads = ["per picture", "middle half", "speed", "evaluations", "10⁹ multiplications", "peak MiB"] + metrics
    var rows = ["<tr><th>way</th>" + heads.map { "<th>\($0)</th>" }.joined() + "</tr>"]
    rows.append(cells(result.exact, "exact: \(Self.escaped(result.exact.settings.title))", ""))
    for (index, point) in result.front.enumerated() {
      rows.append(cells(point, "\(index + 1): \(Self.escaped(point.settings.title))", index == result.chosen ? "chosen" : ""))
      if let rival = result.rivals[index] {
        rows.append(cells(rival, "&nbsp;&nbsp;beside it: exact with \(rival.settings.steps ?? 0) steps", "rival"))
      }
    }
    return "<table>" + rows.joined(separator: "\n") + "</table>"
  }

  private var measuredText: String {
    let lines = [
      "\(result.trials) ways were tried, \(result.resumed) of them in earlier sittings; the search ended because of: \(result.stop.rawValue).",
      "Search: predicted times from measured parts of the network, brought to the exact run's measured time; loss on the "
        + "search's prompts. Check: \(result.exact.way.pictures.count) other prompts and seeds, all ways in turn picture by picture; medians and middle halves of times, means and 95 % intervals of figures.",
      "Machine: \(machine.processor), \(machine.threads) threads, \(machine.device), \(machine.dtype), kernels \(machine.kernels).",
      "Model: \(result.model.name), weights \(result.model.fingerprint).",
    ]
    return "<ul>" + (lines + notes).map { "<li>\(Self.escaped($0))</li>" }.joined() + "</ul>"
  }

  static func milliseconds(_ seconds: Double) -> String {
    seconds < 10 ? "\(Recipe.digits(seconds * 1000, seconds < 0.1 ? 1 : 0)) ms" : "\(Recipe.digits(seconds, 1)) s"
  }
  static func percent(_ share: Double) -> String { "\(Recipe.digits(share * 100, 1)) %" }
  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
  }
}
