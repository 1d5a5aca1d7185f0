import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepModels
import QuickstepTensor
import QuickstepTraining

struct EvaluateClassifier: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "classifier",
    abstract: "How far a built-in classifier can be trusted: its accuracy on real pictures it was not trained on.",
    discussion: """
      The digit classifier sees the 10,000 test digits; the emoji classifier the pairs of thing and style that were kept back, things of which it
      has seen in other styles.
      """)

  @Option(help: "Id or folder of the classifier.", completion: .directory)
  var classifier = "digit-classifier"
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: "Threads per operator (default: all cores).")
  var threads: Int?
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
  }

  func run() async throws {
    if let threads { Machine.threads = threads }
    let (folder, device) = (try ClassifierFolder.find(classifier), try Device(named: device))
    let configuration = try ConfigurationFile(path: folder + "/config.json")
    let isDigits = configuration.members["_class_name"]?.string == "DigitClassifier"
    try (isDigits ? digits(folder, device) : emoji(folder, device)).show(json: json)
  }

  private func digits(_ folder: String, _ device: Device) throws -> EvaluationReport {
    let net = try DigitFeatures(folder: folder, device: device)
    let test = try DigitSet(.test)
    let start = ContinuousClock.now
    let classes = try net.classes(test.images)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let accuracy = try Bootstrap().share(zip(classes, test.labels).map { $0 == $1 })
    var report = EvaluationReport(model: net.name, made: nil)
    report.add(Figure("test-accuracy", accuracy, procedure: "MNIST's test digits", seconds: seconds))
    return report
  }

  private func emoji(_ folder: String, _ device: Device) throws -> EvaluationReport {
    let net = try EmojiFeatures(folder: folder, device: device)
    let plan = try TrainingPlan.read((folder as NSString).deletingLastPathComponent + "/training.json")
    let dataset = try EmojiDataset(path: try DataLocation.find(plan.data.set))
    let rows = try EmojiSelection(groups: plan.data.groups, styles: plan.data.styles).rows(of: dataset)
    var report = EvaluationReport(model: net.name, made: nil)
    for (split, name) in [("heldout", "heldout"), ("train", "training")] {
      let start = ContinuousClock.now
      let chosen = rows.filter { $0.split == split && net.classIndex($0.name) != nil }
      let ranks = try net.ranks(EmojiRetrieval.pictures(of: chosen, in: dataset), prompts: chosen.map(\.name))
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      for first in [1, 5] {
        let share = try Bootstrap().share(ranks.map { $0 <= first })
        report.add(
          Figure(
            "\(name)-accuracy-top-\(first)", share, procedure: "\(net.classNames.count) things, \(chosen.count) pairs", seconds: seconds))
      }
    }
    return report
  }
}
