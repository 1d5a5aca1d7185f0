import Foundation
import QuickstepPipelines

/// Loss against time as a drawing in a page: both axes logarithmic, a tip on every point.
struct FrontChart {
  let report: TuningReport
  private static let (width, height) = (960.0, 520.0)
  private static let (left, right, top, bottom) = (80.0, 20.0, 20.0, 60.0)

  private struct Mark {
    var x: Double, y: Double
    var tip: String
  }

  var svg: String {
    let result = report.result
    let tried = result.tried.filter { $0.loss <= 1 }.map {
      Mark(x: $0.seconds, y: TuningReport.shown($0.loss), tip: tip($0.settings.title, $0.seconds, $0.loss))
    }
    let fewer = TuningResult.front(result.singles[""] ?? []).map {
      Mark(x: $0.seconds, y: TuningReport.shown($0.loss), tip: tip($0.settings.title, $0.seconds, $0.loss))
    }
    func checked(_ points: [TuningResult.Point]) -> [Mark] {
      points.map {
        Mark(
          x: $0.seconds.median, y: TuningReport.shown(report.loss($0)),
          tip: tip($0.settings.title, $0.seconds.median, report.loss($0)))
      }
    }
    let front = checked(result.front)
    let rivals = checked(result.rivals.compactMap { $0 })
    let all = tried + fewer + front + rivals
    guard !all.isEmpty else { return "" }
    let xs = Axis(all.map(\.x), from: Self.left, to: Self.width - Self.right)
    let ys = Axis(all.map(\.y), from: Self.height - Self.bottom, to: Self.top)
    var parts = [axes(xs, ys)]
    parts += tried.map { dot($0, xs, ys, radius: 3, fill: "#c9c9d2") }
    let line = fewer.map { "\(number(xs.place($0.x))),\(number(ys.place($0.y)))" }.joined(separator: " ")
    parts.append("<polyline points=\"\(line)\" fill=\"none\" stroke=\"#777\" stroke-dasharray=\"6 4\"/>")
    parts += rivals.map { dot($0, xs, ys, radius: 5, fill: "#555") }
    parts += front.enumerated().map { index, mark in
      dot(mark, xs, ys, radius: index == result.chosen ? 9 : 6, fill: "#c81e3c")
        + "<text x=\"\(number(xs.place(mark.x) + 10))\" y=\"\(number(ys.place(mark.y) - 8))\" font-size=\"14\">\(index + 1)</text>"
    }
    parts.append(legend)
    return "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" aria-label=\"loss against time\" "
      + "font-family=\"system-ui, sans-serif\">" + parts.joined(separator: "\n") + "</svg>"
  }

  private func tip(_ name: String, _ seconds: Double, _ loss: Double) -> String {
    "\(name): \(TuningReport.milliseconds(seconds)), loss \(Recipe.digits(loss, 5))"
  }

  private func dot(_ mark: Mark, _ xs: Axis, _ ys: Axis, radius: Double, fill: String) -> String {
    "<circle cx=\"\(number(xs.place(mark.x)))\" cy=\"\(number(ys.place(mark.y)))\" r=\"\(number(radius))\" fill=\"\(fill)\">"
      + "<title>\(TuningReport.escaped(mark.tip))</title></circle>"
  }

  private func axes(_ xs: Axis, _ ys: Axis) -> String {
    var parts: [String] = []
    for value in xs.ticks {
      let x = number(xs.place(value))
      parts.append("<line x1=\"\(x)\" x2=\"\(x)\" y1=\"\(Self.top)\" y2=\"\(Self.height - Self.bottom)\" stroke=\"#e4e4ea\"/>")
      parts.append(
        "<text x=\"\(x)\" y=\"\(Self.height - Self.bottom + 22)\" text-anchor=\"middle\" font-size=\"13\">\(TuningReport.milliseconds(value))</text>"
      )
    }
    for value in ys.ticks {
      let y = number(ys.place(value))
      parts.append("<line x1=\"\(Self.left)\" x2=\"\(Self.width - Self.right)\" y1=\"\(y)\" y2=\"\(y)\" stroke=\"#e4e4ea\"/>")
      parts.append("<text x=\"\(Self.left - 8)\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\" font-size=\"13\">\(Axis.label(value))</text>")
    }
    parts.append("<text x=\"\(Self.width / 2)\" y=\"\(Self.height - 10)\" text-anchor=\"middle\" font-size=\"14\">time per picture</text>")
    let name = TuningReport.escaped(report.result.measure.name)
    parts.append(
      "<text transform=\"translate(18 \(Self.height / 2)) rotate(-90)\" text-anchor=\"middle\" font-size=\"14\">loss of \(name)</text>")
    return parts.joined(separator: "\n")
  }

  private var legend: String {
    let entries = [("#c81e3c", "found, checked"), ("#555", "fewer steps, checked"), ("#c9c9d2", "tried by the search")]
    return entries.enumerated().map { index, entry in
      let y = Self.top + 16 + Double(index) * 22
      return "<circle cx=\"\(Self.width - 210)\" cy=\"\(y)\" r=\"6\" fill=\"\(entry.0)\"/>"
        + "<text x=\"\(Self.width - 196)\" y=\"\(y)\" dy=\"5\" font-size=\"14\">\(entry.1)</text>"
    }.joined(separator: "\n")
  }

  private func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

/// A logarithmic axis.
private struct Axis {
  let low: Double, high: Double
  let from: Double, to: Double

  init(_ values: [Double], from: Double, to: Double) {
    let positive = values.filter { $0 > 0 && $0.isFinite }
    (low, high) = ((positive.min() ?? 1) / 1.3, (positive.max() ?? 1) * 1.3)
    (self.from, self.to) = (from, to)
  }

  func place(_ value: Double) -> Double { from + (to - from) * log(max(value, low) / low) / log(high / low) }

  /// 1, 2 and 5 times powers of ten; powers alone where there are many.
  var ticks: [Double] {
    let decades = Int(floor(log10(low)))...Int(ceil(log10(high)))
    let steps = decades.count > 3 ? [1.0] : [1.0, 2, 5]
    return decades.flatMap { decade in steps.map { $0 * pow(10, Double(decade)) } }.filter { $0 >= low && $0 <= high }
  }

  static func label(_ value: Double) -> String { value >= 0.001 ? "\((value * 1000).rounded() / 1000)" : "\(value)" }
}
