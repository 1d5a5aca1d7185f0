import QuickstepEvaluation
import QuickstepPipelines

extension TuningReport {
  /// Of each method alone: the fastest way that the search found within some losses.
  var singlesTable: String {
    let limits = [0.01, 0.03, 0.1]
    var rows = ["<tr><th>method</th><th>tried</th>" + limits.map { "<th>speed at a loss of at most \($0)</th>" }.joined() + "</tr>"]
    func speed(_ tried: [TuningResult.Tried], _ limit: Double) -> String {
      tried.filter { $0.loss <= limit }.map { result.exactSeconds / $0.seconds }.max().map { Recipe.digits($0, 1) + "×" } ?? "–"
    }
    func row(_ name: String, _ tried: [TuningResult.Tried]) -> String {
      "<tr><td>\(Self.escaped(name))</td><td>\(tried.count)</td>" + limits.map { "<td>\(speed(tried, $0))</td>" }.joined() + "</tr>"
    }
    for (name, tried) in result.singles.sorted(by: { $0.key < $1.key }) { rows.append(row(name.isEmpty ? "fewer steps" : name, tried)) }
    rows.append(row("everything together", result.tried))
    return "<table>" + rows.joined(separator: "\n") + "</table>"
  }

  /// Of every way that was looked at: the figures beside the exact run's; `nil` where none had to be kept.
  var keptTable: String? {
    let looked = result.front.enumerated().flatMap { index, point in
      [("\(index + 1): \(point.settings.title)", point.kept, index == result.chosen ? "chosen" : "")]
        + (result.rivals[index].map { [("beside it: exact with \($0.settings.steps ?? 0) steps", $0.kept, "rival")] } ?? [])
    }.filter { !$0.1.isEmpty }
    guard let first = looked.first?.1.first else { return nil }
    let heads = ["figure", "here", "exact run", "loss", "95 % interval", "allowed", "kept"]
    var rows = ["<tr><th>way</th>" + heads.map { "<th>\($0)</th>" }.joined() + "</tr>"]
    for (name, outcomes, style) in looked {
      rows += outcomes.map { outcome in
        let cells = [
          outcome.metric, Self.text(outcome.value, outcome), Self.text(outcome.exact, outcome), Self.text(outcome.loss, outcome),
          "\(Self.text(outcome.lower, outcome)) … \(Self.text(outcome.upper, outcome))", Self.text(outcome.margin, outcome),
          outcome.isKept ? "yes" : "no",
        ]
        return "<tr class=\"\(style)\"><td>\(Self.escaped(name))</td>" + cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
      }
    }
    return "<table>" + rows.joined(separator: "\n")
      + "</table><p>On \(first.pictures) pictures with prompts and seeds of their own; loss: how "
      + "much worse than the exact run, negative where better. Kept: the loss cannot be told from none and is within what is allowed.</p>"
  }

  private static func text(_ value: Double, _ outcome: Safeguard.Outcome) -> String {
    outcome.isShare ? percent(value) : Recipe.digits(value, abs(outcome.exact) < 10 ? 3 : 1)
  }
}
