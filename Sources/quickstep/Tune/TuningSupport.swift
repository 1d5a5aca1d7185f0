import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner
import Synchronization

/// Measures of likeness that tuning can go by: the registered metrics of pairs.
enum TuningMeasures {
  /// What the standard target is one of.
  static let standard = "ssim"

  /// Names of all of them; some need a network.
  static var names: [String] { AllMetrics.all.map { $0.declaration }.filter { $0.kind == .paired }.map(\.name) }

  /// The one called `first`, then the others that need nothing more than what is at hand.
  /// - Throws: `ValidationError` for a name that is unknown, or cannot be used with the model's pictures.
  static func all(first: String, model: LoadedModel) throws -> [QualityMeasure] {
    let chosen = try check(first)
    let nets: [any EvaluationNet] =
      try SqueezeNetFeatures.whereAvailable(model.device, pictures: model.pictureSize, otherwise: "measures by SqueezeNet are left out")
      .map { [$0] } ?? []
    let side = min(model.pictureSize.width, model.pictureSize.height)
    let sample = try withTensorErrors { Tensor.zeros([1, 3, model.pictureSize.height, model.pictureSize.width]) }
    func measures(_ type: any Metric.Type) throws -> [QualityMeasure] {
      let values = try ParameterValues([:], of: type.declaration.parameters, owner: "metric '\(type.declaration.name)'")
      return try type.make(values, nets: nets).compactMap { $0 as? any PairedMetric }.map { try QualityMeasure($0, equal: sample) }
    }
    guard chosen.declaration.smallestSide <= side else {
      throw ValidationError(
        "--metric \(first) needs pictures of \(chosen.declaration.smallestSide) pixels a side; those of '\(model.name)' have \(side).")
    }
    let leading = try measures(chosen)
    guard !leading.isEmpty else { throw ValidationError("--metric \(first) needs a network that the data location does not hold.") }
    let others = AllMetrics.all.filter {
      $0.declaration.kind == .paired && $0.declaration.name != chosen.declaration.name && $0.declaration.isStandard
        && $0.declaration.smallestSide <= side
    }
    return try leading + others.flatMap(measures)
  }

  @discardableResult
  static func check(_ name: String) throws -> any Metric.Type {
    guard let found = try? AllMetrics.named(name), found.declaration.kind == .paired else {
      throw ValidationError("--metric \(name) is no metric of pairs; use \(names.joined(separator: ", ")).")
    }
    return found
  }

  static func standardTarget(_ name: String) -> Double? { name == standard ? 0.95 : nil }
}

/// What pictures are made of while tuning.
enum TuningPrompts {
  /// Things that the built-in models and published ones know.
  private static let things = [
    "red apple", "fox", "owl", "pizza", "panda", "strawberry", "hamburger", "hot beverage", "cat face", "dog face", "lion", "tiger face",
    "frog", "penguin", "butterfly", "octopus", "cherries", "lemon", "banana", "bread", "cheese wedge", "cookie", "birthday cake",
    "cactus", "sunflower", "tulip", "mushroom", "rabbit face", "koala", "whale", "crab", "grapes",
  ]

  /// What is searched with, what is checked with, and what solvers are fitted to: nothing of the first and third is among the second.
  struct Choice {
    var search: [String], check: [String], fit: [String]
    /// All that may be checked with.
    var unseen: [String]
  }

  /// - Parameter known: what the judges of the model's pictures know, where the user names none.
  static func choose(
    _ model: LoadedModel, file: String?, known: [String] = [], search: Int, check: Int, fit: Int = 0
  ) throws -> Choice {
    let all: [String]
    if let file {
      guard let data = FileManager.default.contents(atPath: file) else { throw ValidationError("--prompts \(file) cannot be read.") }
      let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      var seen: Set<String> = []
      all = lines.filter { !$0.isEmpty && seen.insert($0).inserted }
    } else if let classes = model.classCount {
      all = (0..<classes).map(String.init)
    } else {
      all = known.isEmpty ? things : known
    }
    guard all.count >= 2 else { throw ValidationError("\(file ?? "The model") has \(all.count) different prompts; at least 2 are needed.") }
    // Both halves run through the list, so that neither gets all of one kind.
    let (even, odd) = (all.indices.filter { $0 % 2 == 0 }.map { all[$0] }, all.indices.filter { $0 % 2 == 1 }.map { all[$0] })
    // Few prompts, such as classes, are taken again with other seeds.
    return Choice(
      search: (0..<search).map { even[$0 % even.count] }, check: (0..<check).map { odd[$0 % odd.count] },
      fit: (0..<fit).map { even[even.count - 1 - $0 % even.count] },
      unseen: odd)
  }
}

/// Shows where tuning stands.
final class TuningDisplay: Sendable {
  private let state = Mutex((line: ProgressLine(), best: ""))
  private let exact: Int

  init(exact: Int) { self.exact = exact }

  func show(_ progress: TuningProgress) {
    state.withLock { state in
      switch progress {
      case .stage(let text):
        state.line.clear()
        note("\(text) …")
      case .search(let search, let settings):
        if search.improved, let settings { state.best = settings.title }
        let share = search.budget.map { ProgressLine.bar(min(1, search.seconds / max($0, 1e-9))) + " " } ?? ""
        let time = ProgressLine.duration(search.seconds) + (search.budget.map { " of " + ProgressLine.duration($0) } ?? "")
        state.line.show(
          Screen.shortened(
            "\(share)\(search.told) tried, \(search.frontSize) on the front, \(time); latest: \(state.best)", width: Screen.width - 1))
      case .check(let done, let label):
        state.line.show(Screen.shortened("\(ProgressLine.bar(done)) \(label)", width: Screen.width - 1))
      }
    }
  }

  func finish() { state.withLock { $0.line.clear() } }
}

/// Writes what tuning came to.
struct TuningOutput {
  let command: TuneCommand
  let model: LoadedModel
  let settings: TuningSettings
  let searcher: MethodChoice
  let result: TuningResult

  func write() throws {
    let machine = Recipe.Machine(processor: MachineFacts.read().cpu, threads: Machine.threads, model: model)
    let origin = Recipe.Origin(
      program: ImagePipeline.version, searcher: searcher.description, trials: result.trials, seed: settings.seed)
    let recipe = try result.chosen.map { try result.recipe($0, machine: machine, origin: origin) }
    let base = String(command.output.dropLast(5))
    let report = TuningReport(result, recipe: recipe, machine: machine)
    try recipe?.write(to: command.output)
    try AtomicFile.write(Array(report.html().utf8), to: base + ".html", makeFolder: true)
    try PNG.write(report.plot(), to: base + ".png", makeFolder: true)
    if command.json { printJSON(try json(recipe)) } else { print(text(recipe, base)) }
    if recipe == nil { throw ExitCode(1) }
  }

  private func text(_ recipe: Recipe?, _ base: String) -> String {
    var table = TextTable(
      [.init(title: "", fit: .natural), .init(title: "way", fit: .wrapped)]
        + (["ms", "speed", "evaluations"] + result.exact.quality.map(\.metric) + result.kept + ["rival", "its \(result.measure.name)"]).map
      {
        .init(title: $0, alignsRight: true)
      })
    func cells(_ point: TuningResult.Point, _ mark: String) -> [String] {
      let count = Double(max(1, point.way.pictures.count))
      return [
        mark, point.settings.title, String(format: "%.0f", point.seconds.median * 1000), String(format: "%.2f", point.speedUp.median),
        String(format: "%.0f", Double(point.way.evaluations) / count),
      ] + point.quality.map { String(format: "%.4f", $0.estimate.value) }
        + result.kept.map { name in
          point.kept.first { $0.metric == name }.map { String(format: $0.isShare ? "%.3f" : "%.2f", $0.value) } ?? "–"
        }
    }
    table.add(cells(result.exact, ""))
    for (index, point) in result.front.enumerated() {
      let rival = result.rivals[index]
      table.add(
        cells(point, index == result.chosen ? "→" : "\(index + 1)")
          + [
            rival.map { "\($0.settings.steps ?? 0) steps" } ?? "–",
            rival.map { String(format: "%.4f", $0.quality[0].estimate.value) } ?? "–",
          ])
    }
    var lines = [
      "\(model.name): \(result.trials) ways tried, \(result.front.count) checked with \(settings.heldOut.count) other pictures", "",
    ]
    lines += table.lines() + [""]
    if let recipe {
      lines.append("recipe: \(recipe.summary)")
      if let coarse { lines.append(coarse) }
      lines.append("written to \(command.output); report: \(base).html, \(base).png")
      lines.append("use it:  quickstep generate … --model \(model.name) --recipe \(command.output)")
    } else {
      lines.append("nothing reaches the target; nearest: \(result.nearest ?? "nothing")")
      lines.append("no recipe was written; report: \(base).html, \(base).png; the trials are kept in \(settings.archive)")
    }
    return lines.joined(separator: "\n")
  }

  /// Where fewer steps at equal time keep the figures as well: that these tell nothing about the recipe.
  private var coarse: String? {
    guard let rival = result.chosen.flatMap({ result.rivals[$0] }), !rival.kept.isEmpty, rival.kept.allSatisfy(\.isKept) else { return nil }
    let likeness = rival.quality.first.map { ", with \($0.metric) \(String(format: "%.3f", $0.estimate.value))" } ?? ""
    return
      "\(rival.settings.title) keep\(rival.settings.steps == 1 ? "s" : "") \(result.kept.joined(separator: " and ")) as well\(likeness): these figures alone "
      + "do not speak for the recipe; --target-quality asks for nearness besides"
  }

  private func json(_ recipe: Recipe?) throws -> JSONValue {
    func point(_ point: TuningResult.Point) -> JSONValue {
      .object([
        "sampling": point.settings.json, "seconds": .number(point.seconds.median), "speed_up": .number(point.speedUp.median),
        "quality": .object(Dictionary(point.quality.map { ($0.metric, .number($0.estimate.value)) }) { first, _ in first }),
      ])
    }
    return .object([
      "recipe": try recipe?.json ?? .null, "exact": point(result.exact), "front": .array(result.front.map(point)),
      "rivals": .array(result.rivals.map { $0.map(point) ?? .null }), "trials": .integer(result.trials),
      "resumed": .integer(result.resumed),
      "chosen": .optional(result.chosen), "nearest": .optional(result.nearest), "stop": .string(result.stop.rawValue),
      "volumes": .object([
        "joint": .number(result.volumes.joint), "single": .number(result.volumes.single), "single_name": .string(result.volumes.singleName),
        "fewer_steps": .number(result.volumes.fewerSteps),
      ]),
    ])
  }
}
