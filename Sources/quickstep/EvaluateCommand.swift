import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTraining

struct EvaluateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure how good a model's pictures are.",
    discussion: """
      Every figure comes with its confidence interval (95 %, bootstrap) where one can be given, with what it is measured on, and with the
      figure that real pictures reach. The data sets are not part of this program: QUICKSTEP_DATA names the folder that holds them.

      Examples:
        quickstep evaluate retrieval --model emoji                     what share of its pictures is recognised
        quickstep evaluate retrieval --model emoji --pairs heldout     only of (thing, style) pairs it never saw
        quickstep evaluate digits --steps 10 --json                    accuracy and Fréchet distance of 1,000 digits
        quickstep evaluate classifier                                  how far the digit classifier can be trusted
        quickstep evaluate pictures out --reference exact              how near the pictures of one folder are to those of another
      """,
    subcommands: [
      EvaluateRetrieval.self, EvaluateDigits.self, EvaluateClassifier.self, EvaluateSolvers.self, EvaluatePictures.self,
      EvaluateMetrics.self,
    ])
}

struct EvaluateRetrieval: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retrieval",
    abstract: "Share of generated pictures that are most like the real pictures of the thing they were asked for.",
    discussion: """
      A picture is looked up among the real pictures of all taught things in all taught styles, by cosine similarity in SqueezeNet's
      features; nothing is left out. The ceiling is what real pictures of the same pairs reach when each is looked up without itself.
      """)

  @OptionGroup var generation: EvaluationOptions
  @Option(name: [.short, .long], help: "Id or folder of a text-to-picture model.", completion: .directory)
  var model = "emoji"
  @Option(
    help: "Which (thing, style) pairs: train, those it was trained on; heldout, those it never saw (repeatable; default: each by itself).")
  var pairs: [EmojiPairs] = []
  @Option(name: [.short, .long], help: "Pairs drawn of each kind, at most as many as there are.")
  var count = 500
  @Option(help: "Real pictures to look up in: taught, or all of the data set.")
  var index = EmojiRetrieval.Scope.taught
  @Option(
    help: "The training plan that says what was taught (default: training.json in the model's folder).",
    completion: .file(extensions: ["json"]))
  var plan: String?
  @Option(
    help: ArgumentHelp(
      "Another way to sample, such as 'ddim + steps=50', for the same pairs and noise: its figures too, and how many more of its pictures are "
        + "found.", valueName: "way"))
  var beside: String?
  @Option(help: "SqueezeNet's weights (default: weights/squeezenet in the data location).", completion: .file())
  var features: String?
  @Option(help: "Put the first 96 pictures of the first kind on a sheet, each beside the real one.", completion: .file(extensions: ["png"]))
  var sheet: String?

  func validate() throws {
    if count < 1 { throw ValidationError("--count is \(count); it must be at least 1.") }
    _ = try beside.map { try SamplingSettings(parsing: $0) }
    if let sheet { try OutputPath.check(sheet, for: "--sheet") }
  }

  func run() async throws {
    let device = try generation.prepare()
    let folder = try ModelLibrary.find(model)
    let data = try taught(folder)
    let dataset = try EmojiDataset(path: try DataLocation.find(data.set))
    let net = try SqueezeNetFeatures(path: features, device: device)
    let generator = try PictureMaker(model: try generation.load(folder, device: device), options: generation)
    var line = ProgressLine()
    let selection = EmojiSelection(groups: data.groups, styles: data.styles)
    let retrieval = try EmojiRetrieval(dataset: dataset, selection: selection, scope: index, net: net) { done, all in
      line.show("\(ProgressLine.bar(Double(done) / Double(all))) features of \(done)/\(all) real pictures")
    }
    line.clear()
    var report = EvaluationReport(model: generator.model.name, made: nil)
    for kind in pairs.isEmpty ? EmojiPairs.allCases : pairs {
      let chosen = try kind.draw(from: retrieval.taught, count: count, seed: generation.seed)
      let made = try generator.make(chosen)
      if let sheet, report.figures.isEmpty { try writeSheet(made, chosen, dataset, to: sheet) }
      let other = try beside.map { text in
        try PictureMaker(model: generator.model, options: generation, other: SamplingSettings(parsing: text)).make(chosen)
      }
      try add(kind, chosen, made, other, retrieval, to: &report)
    }
    report.show(json: generation.json)
  }

  /// The figures of one kind of pairs, with their ceiling.
  private func add(
    _ kind: EmojiPairs, _ chosen: [EmojiRow], _ made: PictureMaker.Pictures, _ other: PictureMaker.Pictures?, _ retrieval: EmojiRetrieval,
    to report: inout EvaluationReport
  ) throws {
    let bootstrap = Bootstrap(seed: generation.seed)
    let score = try retrieval.score(made.pixels, of: chosen, bootstrap: bootstrap)
    let ceiling = try retrieval.ceiling(chosen, bootstrap: bootstrap)
    let among = "\(retrieval.known.count) pictures of \(retrieval.conceptCount) things"
    let lookup = "\(kind) pairs, seed \(generation.seed), among \(among), \(retrieval.net.name)"
    let name = "\(EmojiRetrieval.metric)-\(kind)"
    for k in [1, 5] {
      let procedure = "\(lookup); \(made.settings)"
      report.add(Figure("\(name)-top\(k)", try score.top(k), procedure: procedure, seconds: made.seconds))
    }
    if let other {
      let beside = try retrieval.score(other.pixels, of: chosen, bootstrap: bootstrap)
      for k in [1, 5] {
        let procedure = "\(lookup); \(other.settings)"
        report.add(Figure("\(name)-top\(k)-beside", try beside.top(k), procedure: procedure, seconds: other.seconds))
      }
      for k in [1, 5] {
        let difference = try PairedDifference(
          candidate: score.hits(k), baseline: beside.hits(k), direction: .higherIsBetter, groups: score.groups)
        report.add(
          Figure(
            "\(name)-top\(k)-loss", try difference.estimate(bootstrap), procedure: "share found beside less share found, paired", seconds: 0
          ))
      }
    }
    for k in [1, 5] {
      let procedure = "\(lookup); the real pictures, each without itself"
      report.add(Figure("\(name)-top\(k)-ceiling", try ceiling.top(k), procedure: procedure, seconds: 0))
    }
    report.add(made)
  }

  /// What the model was taught, as its training plan says.
  private func taught(_ folder: String) throws -> DataSelection {
    let path = plan ?? folder + "/training.json"
    guard plan != nil || FileManager.default.fileExists(atPath: path) else {
      throw ValidationError("\(folder) has no training.json, so it does not say what the model was taught; name its plan with --plan.")
    }
    return try TrainingPlan.read(path).data
  }

  private func writeSheet(_ made: PictureMaker.Pictures, _ pairs: [EmojiRow], _ dataset: EmojiDataset, to path: String) throws {
    let shown = min(96, pairs.count)
    let pictures = try (0..<shown).flatMap { index in
      let generated = try PixelImage(tensor: withTensorErrors { made.pixels.select(0, index: index) })
      return [generated.enlarged(by: 2), try dataset.image(pairs[index]).composited(over: .white).enlarged(by: 2)]
    }
    let labels = pairs.prefix(shown).flatMap { ["\($0.name) / \($0.style)", "real"] }
    try PNG.write(try ContactSheet.make(pictures, columns: 12, labels: labels), to: path, makeFolder: true)
  }
}

struct EvaluateDigits: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "digits",
    abstract: "Whether digits are the ones asked for, and how far their features are from real ones.",
    discussion: """
      Asks for as many of each digit. The accuracy is the classifier's agreement with what was asked for. The Fréchet distance is the
      squared one, in the classifier's features, to the 10,000 test digits; it depends on --count, so that only runs of the same count
      compare. The same is printed for real training digits.
      """)

  @OptionGroup var generation: EvaluationOptions
  @Option(name: [.short, .long], help: "Id or folder of a class-conditional digit model.", completion: .directory)
  var model = "digits"
  @Option(name: [.short, .long], help: "Digits to make.")
  var count = 1000
  @Option(help: "Id or folder of the classifier.", completion: .directory)
  var classifier = "digit-classifier"

  func validate() throws {
    if count < 2 { throw ValidationError("--count is \(count); a distance needs at least 2.") }
  }

  func run() async throws {
    let device = try generation.prepare()
    let net = try DigitFeatures(folder: try ClassifierFolder.find(classifier), device: device)
    let (test, train) = (try DigitSet(.test), try DigitSet(.train, limit: count))
    let generator = try PictureMaker(model: try generation.load(ModelLibrary.find(model), device: device), options: generation)
    let labels = (0..<count).map { $0 % net.classCount }
    let made = try generator.make(labels.map(String.init))
    let bootstrap = Bootstrap(seed: generation.seed)
    let reference = try GaussianStatistics(features: try net.features(test.images, batch: 250))
    var report = EvaluationReport(model: generator.model.name, made: made)
    try add(made.pixels, labels, "", "\(made.settings), seed \(generation.seed)", made.seconds)
    try add(train.images, train.labels, "-real", "the first \(train.labels.count) training digits", 0)
    report.show(json: generation.json)

    func add(_ images: Tensor, _ labels: [Int], _ suffix: String, _ source: String, _ seconds: Double) throws {
      let hits = zip(try net.classes(images), labels).map { $0 == $1 }
      let accuracy = try bootstrap.share(hits)
      report.add(Figure("digit-accuracy\(suffix)", accuracy, procedure: "by \(net.name); \(source)", seconds: seconds))
      let distance = try FrechetDistance.squared(try GaussianStatistics(features: try net.features(images, batch: 250)), reference)
      report.add(
        Figure(
          metric: "frechet-\(net.name)\(suffix)", value: distance, count: labels.count,
          procedure: "squared, to \(test.labels.count) test digits; \(source)", seconds: seconds))
    }
  }
}
