import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

struct RecipeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recipe",
    abstract: "Look at recipes, check them against a model and this machine, compare two.",
    discussion: """
      Examples:
        quickstep recipe show emoji.json
        quickstep recipe check emoji.json                        does it fit the model and the machine here?
        quickstep recipe check emoji.json --model mine --measure --output mine.json
        quickstep recipe diff old.json new.json
      """,
    subcommands: [RecipeShow.self, RecipeCheck.self, RecipeDiff.self])
}

struct RecipeShow: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "show", abstract: "What a recipe says, and what was measured of it.")

  @Argument(help: "The recipe's file.", completion: .file(extensions: ["json"]))
  var recipe: String
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let recipe = try Recipe(path: recipe)
    if json { printJSON(try recipe.json) } else { print(RecipeText.lines(recipe).joined(separator: "\n")) }
  }
}

struct RecipeDiff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "In what two recipes differ.", discussion: "Exit code 0 where they are equal, 1 where they are not.")

  @Argument(help: "A recipe's file.", completion: .file(extensions: ["json"]))
  var first: String
  @Argument(help: "Another's.", completion: .file(extensions: ["json"]))
  var second: String

  func run() throws {
    let differences = try Recipe(path: first).differences(to: Recipe(path: second))
    print(differences.isEmpty ? "no difference" : differences.joined(separator: "\n"))
    if !differences.isEmpty { throw ExitCode(1) }
  }
}

struct RecipeCheck: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Whether a recipe fits a model and this machine; measures it anew where asked.")

  @Argument(help: "The recipe's file.", completion: .file(extensions: ["json"]))
  var recipe: String
  @Option(name: [.short, .long], help: "Id or path of a model (default: the recipe's).", completion: .file())
  var model: String?
  @Flag(help: "Measure time and likeness here, in turn with the exact run.")
  var measure = false
  @Option(help: "Prompts to measure with.")
  var count = 8
  @Option(help: "A text file with a prompt per line to measure with.", completion: .file())
  var prompts: String?
  @Option(name: [.short, .long], help: "Write the recipe with what was measured here.", completion: .file(extensions: ["json"]))
  var output: String?
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?

  func validate() throws {
    if output != nil, !measure { throw ValidationError("--output has no effect without --measure.") }
    if let output { try OutputPath.check(output, for: "--output") }
    if prompts != nil, !measure { throw ValidationError("--prompts has no effect without --measure.") }
    if count < 2 || count > 1000 { throw ValidationError("--count is \(count); allowed: 2…1000.") }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
  }

  func run() async throws {
    if let threads { Machine.threads = threads }
    let recipe = try Recipe(path: recipe)
    let device = try Device(named: device)
    let loaded = try LoadedModel(
      folder: ModelLibrary.find(model ?? recipe.model.name), device: device,
      kernels: KernelOption.choice(nil, dtype: .float32, device: device))
    let machine = Recipe.Machine(processor: MachineFacts.read().cpu, threads: Machine.threads, model: loaded)
    let findings = recipe.findings(model: loaded, machine: machine)
    for finding in findings { print((finding.isRefusal ? "does not fit: " : "note: ") + finding.text) }
    if findings.isEmpty { print("fits: the model, the machine and the way to sample are as they were measured") }
    guard measure else {
      if findings.contains(where: \.isRefusal) { throw ExitCode(1) }
      return
    }
    let texts = try TuningPrompts.choose(loaded, file: prompts, search: count, check: count)
    let measures = try TuningMeasures.all(first: TuningMeasures.standard, model: loaded)
    let measured = try await Interruption.ending {
      try recipe.measured(
        on: loaded, prompts: texts.check, firstSeed: 1_000_000, machine: machine,
        measures: measures)
    }
    print("")
    print(RecipeText.lines(measured).joined(separator: "\n"))
    try output.map { try measured.write(to: $0) }
  }
}

/// A recipe in words.
enum RecipeText {
  static func lines(_ recipe: Recipe) -> [String] {
    var facts = [
      ("model", "\(recipe.model.name), weights \(recipe.model.fingerprint)"),
      ("with", recipe.companions.map { "\($0.name), weights \($0.fingerprint)" }.joined(separator: "; ")),
      ("sampling", recipe.sampling.title), ("instead of", recipe.exact.description), ("guidance", "\(recipe.guidanceScale)"),
    ]
    if let measured = recipe.measured {
      func milliseconds(_ spread: Spread) -> String {
        String(format: "%.0f ms (middle half %.0f–%.0f)", spread.median * 1000, spread.lower * 1000, spread.upper * 1000)
      }
      facts += [
        ("per picture", milliseconds(measured.seconds)), ("exact run", milliseconds(measured.exactSeconds)),
        (
          "speed-up",
          String(format: "%.2f (middle half %.2f–%.2f)", measured.speedUp.median, measured.speedUp.lower, measured.speedUp.upper)
        ),
        ("evaluations", "\(measured.evaluations) of \(measured.exactEvaluations)"),
      ]
      facts += measured.quality.map { quality in
        let rival = quality.rival.map { rival in
          String(format: "; exact with %d steps: %.4f", measured.rivalSteps ?? 0, rival)
        }
        return (quality.metric, String(format: "%.4f (%.4f–%.4f)", quality.value, quality.lower, quality.upper) + (rival ?? ""))
      }
      facts += (measured.kept ?? []).map { ($0.metric, words($0)) }
      facts += (measured.rivalKept ?? []).map { ("… fewer steps", "\($0.metric) " + words($0)) }
      if let own = measured.multiplications, let full = measured.exactMultiplications {
        facts.append(("multiplications", String(format: "%.2f·10⁹ of %.2f·10⁹ per picture", own / 1e9, full / 1e9)))
      }
      if let own = measured.peakBytes, let full = measured.exactPeakBytes {
        facts.append(
          ("tensors at once", String(format: "%.1f MiB, exact run %.1f MiB", Double(own) / 1_048_576, Double(full) / 1_048_576)))
      }
      facts.append(("measured on", "\(measured.pictures) pictures that the search had not seen"))
    } else {
      facts.append(("measured", "nothing"))
    }
    let machine = recipe.machine
    facts += [
      ("machine", "\(machine.processor), \(machine.threads) threads, \(machine.device), \(machine.dtype), kernels \(machine.kernels)"),
      (
        "found by",
        "quickstep \(recipe.origin.program)" + (recipe.origin.searcher.map { ", \($0)" } ?? "")
          + (recipe.origin.trials.map { ", \($0) trials" } ?? "")
      ),
    ]
    return factLines(facts)
  }

  private static func words(_ outcome: Safeguard.Outcome) -> String {
    func text(_ value: Double) -> String { outcome.isShare ? String(format: "%.1f %%", value * 100) : String(format: "%.3f", value) }
    return "\(text(outcome.value)); exact run \(text(outcome.exact)), loss \(text(outcome.loss)) "
      + "(\(text(outcome.lower)) … \(text(outcome.upper))), \(outcome.pictures) pictures: \(outcome.isKept ? "kept" : "not kept")"
  }
}
