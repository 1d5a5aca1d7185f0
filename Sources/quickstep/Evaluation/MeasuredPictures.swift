import QuickstepEvaluation
import QuickstepFormats
import QuickstepNN

/// The figures of a folder of pictures, as a table or as JSON.
struct MeasuredPictures {
  private struct Comparison {
    var baseline: String
    var margin: Double
    var loss: Estimate
    var verdict: PairedDifference.Verdict
    var permutation: Double
    var sign: Double
  }

  private let pictures: PictureFolder
  private let reference: PictureFolder?
  private let results: [PictureEvaluation.Result]
  /// By the figure's name.
  private var comparisons: [String: Comparison] = [:]

  init(pictures: PictureFolder, reference: PictureFolder?, results: [PictureEvaluation.Result]) {
    (self.pictures, self.reference, self.results) = (pictures, reference, results)
  }

  /// Holds every metric with a value per picture against the same metric of another run.
  mutating func compare(with others: [PictureEvaluation.Result], baseline: PictureFolder, margin: Double, bootstrap: Bootstrap) throws {
    // Names pair the pictures; both folders may list them in another order.
    let places = Dictionary(uniqueKeysWithValues: baseline.names.enumerated().map { ($1, $0) })
    let order = pictures.names.compactMap { places[$0] }
    for (own, other) in zip(results, others) where !own.values.isEmpty {
      let difference = try PairedDifference(
        candidate: own.values, baseline: order.map { other.values[$0] }, direction: own.declaration.direction, groups: pictures.promptGroups
      )
      comparisons[own.figure.metric] = Comparison(
        baseline: baseline.path, margin: margin, loss: try difference.estimate(bootstrap),
        verdict: try difference.verdict(margin: margin, bootstrap),
        permutation: try difference.permutationTest(margin: margin, seed: bootstrap.seed), sign: difference.signTest)
    }
  }

  func show(json: Bool) {
    if json { return printJSON(object) }
    for line in lines { print(line) }
  }

  private var object: JSONValue {
    .object([
      "pictures": .string(pictures.path), "count": .integer(pictures.count), "reference": .optional(reference?.path),
      "width": .integer(pictures.width), "height": .integer(pictures.height), "figures": .array(results.map(json)),
    ])
  }

  private func json(_ result: PictureEvaluation.Result) -> JSONValue {
    var members = result.figure.json.object ?? [:]
    // Nothing was made here, so there is no time to tell.
    members["seconds"] = nil
    members["better"] = .string(result.declaration.direction.rawValue)
    members["kind"] = .string(result.declaration.kind.rawValue)
    if !result.note.isEmpty { members["note"] = .string(result.note) }
    if let found = comparisons[result.figure.metric] {
      members["loss"] = .object([
        "baseline": .string(found.baseline), "value": .number(found.loss.value), "margin": .number(found.margin),
        "interval": .array([.number(found.loss.lower), .number(found.loss.upper)]), "verdict": .string(found.verdict.rawValue),
        "permutation_p": .number(found.permutation), "sign_p": .number(found.sign),
      ])
    }
    return .object(members)
  }

  private var lines: [String] {
    var table = TextTable([
      .init(title: "metric"), .init(title: "value", alignsRight: true), .init(title: "95 % interval"), .init(title: "better"),
      .init(title: "n", alignsRight: true), .init(title: "measured", fit: .wrapped),
    ])
    for result in results {
      let figure = result.figure
      let words = [figure.procedure, result.note].filter { !$0.isEmpty }.joined(separator: "; ")
      table.add([
        figure.metric, figure.shown(figure.value), figure.shownInterval, result.declaration.direction.rawValue,
        Quantity.grouped(figure.count),
        words,
      ])
    }
    return table.lines() + losses
  }

  private var losses: [String] {
    guard !comparisons.isEmpty else { return [] }
    var table = TextTable([
      .init(title: "loss against the baseline"), .init(title: "mean", alignsRight: true), .init(title: "95 % interval"),
      .init(title: "verdict"), .init(title: "p", fit: .wrapped),
    ])
    for result in results {
      guard let found = comparisons[result.figure.metric] else { continue }
      var figure = result.figure
      figure.interval = found.loss.lower...max(found.loss.lower, found.loss.upper)
      table.add([
        figure.metric, figure.shown(found.loss.value), figure.shownInterval, "\(found.verdict.rawValue) (margin \(found.margin))",
        "permutation \(figureText(found.permutation)), sign \(figureText(found.sign))",
      ])
    }
    return [""] + table.lines()
  }

  private func figureText(_ value: Double) -> String { Figure(metric: "", value: value, count: 0, procedure: "", seconds: 0).shown(value) }
}

/// Metrics and networks, as a table or as JSON.
enum MetricList {
  static var lines: [String] {
    var metrics = TextTable([
      .init(title: "metric"), .init(title: "compares"), .init(title: "better"), .init(title: "needs"), .init(title: "", fit: .wrapped),
    ])
    for type in AllMetrics.all {
      let declaration = type.declaration
      let parameters = declaration.parameters.map { " \($0.name)=\($0.standard): \($0.summary)." }.joined()
      metrics.add([
        declaration.name, declaration.kind.rawValue, declaration.direction.rawValue, declaration.need?.rawValue ?? "",
        declaration.summary + parameters + " (\(declaration.reference))",
      ])
    }
    var nets = TextTable([.init(title: "network"), .init(title: "gives"), .init(title: "", fit: .wrapped)])
    for loader in AllEvaluationNets.all {
      let parameters = loader.parameters.map { " \($0.name): \($0.summary)." }.joined()
      nets.add([loader.name, loader.provides.map(\.rawValue).joined(separator: ", "), loader.summary + parameters])
    }
    return metrics.lines() + [""] + nets.lines()
  }

  static var json: JSONValue {
    .object([
      "metrics": .array(
        AllMetrics.all.map { type in
          let declaration = type.declaration
          return .object([
            "name": .string(declaration.name), "kind": .string(declaration.kind.rawValue),
            "better": .string(declaration.direction.rawValue), "needs": .optional(declaration.need?.rawValue),
            "summary": .string(declaration.summary), "reference": .string(declaration.reference),
            "parameters": .strings(declaration.parameters.map(\.name)),
          ])
        }),
      "networks": .array(
        AllEvaluationNets.all.map {
          .object([
            "name": .string($0.name), "provides": .strings($0.provides.map(\.rawValue)), "summary": .string($0.summary),
            "parameters": .strings($0.parameters.map(\.name)),
          ])
        }),
    ])
  }
}
