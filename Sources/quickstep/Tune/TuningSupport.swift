import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner
import Synchronization

/// Measures of likeness that tuning can go by.
enum TuningMeasures {
  static let ssim = QualityMeasure(name: "ssim", higherIsBetter: true, best: 1) { pictures, exact in
    try StructuralSimilarity.values(clipped(pictures), clipped(exact))
  }
  /// Equal pictures would be infinitely near; beyond 60 dB nobody can tell.
  static let psnr = QualityMeasure(name: "psnr", higherIsBetter: true, best: 60) { pictures, exact in
    try PeakSignalToNoise.values(clipped(pictures), clipped(exact)).map { min($0, 60) }
  }
  private static let plain = [ssim, psnr]
  static let names = plain.map(\.name)

  static func named(_ name: String) throws -> QualityMeasure {
    guard let found = plain.first(where: { $0.name == name }) else {
      throw ValidationError("--metric \(name) is unknown; use \(names.joined(separator: " or ")).")
    }
    return found
  }

  /// The one called `first`, then the others.
  static func all(first: String) throws -> [QualityMeasure] { [try named(first)] + plain.filter { $0.name != first } }

  static func standardTarget(_ name: String) -> Double? { name == ssim.name ? 0.95 : nil }

  private static func clipped(_ pictures: Tensor) throws -> Tensor { try withTensorErrors { pictures.clamp(min: -1, max: 1) } }
}

/// What pictures are made of while tuning.
enum TuningPrompts {
  /// Things that the built-in models and published ones know.
  private static let things = [
    "red apple", "fox", "owl", "pizza", "panda", "strawberry", "hamburger", "hot beverage", "cat face", "dog face", "lion", "tiger face",
    "frog", "penguin", "butterfly", "octopus", "cherries", "lemon", "banana", "bread", "cheese wedge", "cookie", "birthday cake",
    "cactus", "sunflower", "tulip", "mushroom", "rabbit face", "koala", "whale", "crab", "grapes",
  ]

  static func choose(_ model: LoadedModel, file: String?, search: Int, check: Int) throws -> (search: [String], check: [String]) {
    let all: [String]
    if let file {
      guard let data = FileManager.default.contents(atPath: file) else { throw ValidationError("--prompts \(file) cannot be read.") }
      let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      var seen: Set<String> = []
      all = lines.filter { !$0.isEmpty && seen.insert($0).inserted }
    } else if let classes = model.classCount {
      all = (0..<classes).map(String.init)
    } else {
      all = things
    }
    guard all.count >= 2 else { throw ValidationError("\(file ?? "The model") has \(all.count) different prompts; at least 2 are needed.") }
    // Both halves run through the list, so that neither gets all of one kind.
    let (even, odd) = (all.indices.filter { $0 % 2 == 0 }.map { all[$0] }, all.indices.filter { $0 % 2 == 1 }.map { all[$0] })
    return (Array(even.prefix(search)), Array(odd.prefix(check)))
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
        if search.improved, let settings { state.best = settings.description }
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
        + (["ms", "speed", "evaluations"] + result.exact.quality.map(\.metric) + ["rival", "its \(result.measure.name)"]).map {
          .init(title: $0, alignsRight: true)
        })
    func cells(_ point: TuningResult.Point, _ mark: String) -> [String] {
      let count = Double(max(1, point.way.pictures.count))
      return [
        mark, point.settings.description, String(format: "%.0f", point.seconds.median * 1000), String(format: "%.2f", point.speedUp.median),
        String(format: "%.0f", Double(point.way.evaluations) / count),
      ] + point.quality.map { String(format: "%.4f", $0.estimate.value) }
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
      lines.append("written to \(command.output); report: \(base).html, \(base).png")
      lines.append("use it:  quickstep generate … --model \(model.name) --recipe \(command.output)")
    } else {
      lines.append("nothing reaches the target; nearest: \(result.nearest ?? "nothing")")
      lines.append("no recipe was written; report: \(base).html, \(base).png; the trials are kept in \(settings.archive)")
    }
    return lines.joined(separator: "\n")
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
