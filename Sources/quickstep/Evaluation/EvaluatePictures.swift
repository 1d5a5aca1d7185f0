import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

struct EvaluatePictures: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pictures",
    abstract: "Measure a folder of pictures, against a reference folder or against their prompts.",
    discussion: """
      A folder holds PNG pictures of one size (00000.png, …), with a metadata.jsonl where prompts, seeds or classes are known (keys file_name,
      prompt, seed, class), a folder per prompt as GenEval has it, or a folder per class. Where both folders hold the same names, pictures are
      compared pair by pair; with a network for features, also as sets. Without --metric everything is measured that can be; what cannot is named.
      --net squeezenet:FILE, digit-classifier, and others ('quickstep evaluate metrics' lists metrics and networks).
      With --baseline each metric of pairs or prompts says whether the pictures lose against that folder's, prompt by prompt.

      Examples:
        quickstep evaluate pictures fast --reference exact
        quickstep evaluate pictures fast --reference real --net digit-classifier --metric frechet --metric kernel:size=500
        quickstep evaluate pictures fast --reference exact --baseline ddim-20 --margin 0.01 --metric ssim
      """)

  @Argument(help: "Folder of the pictures to judge.", completion: .directory)
  var folder: String
  @Option(help: "Folder of what they should be like.", completion: .directory)
  var reference: String?
  @Option(help: "NAME or NAME:parameter=value,… (repeatable; default: all that can be measured).")
  var metric: [String] = []
  @Option(help: "Network for metrics: NAME, NAME:PATH or NAME:parameter=value,… (repeatable).")
  var net: [String] = []
  @Option(help: "Folder of another run of the same names: is there a loss against it?", completion: .directory)
  var baseline: String?
  @Option(help: "Loss against the baseline that is put up with, in the metric's units.")
  var margin: Double?
  @Option(help: "Pictures in memory at once.")
  var batch = 16
  @Option(help: "Of all resampling.")
  var seed: UInt64 = 0
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: "Threads per operator (default: all cores).")
  var threads: Int?
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if batch < 1 { throw ValidationError("--batch is \(batch); it must be at least 1.") }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
    if let margin, margin < 0 || !margin.isFinite { throw ValidationError("--margin is \(margin); it must be 0 or larger.") }
    if margin != nil, baseline == nil { throw ValidationError("--margin has no effect without --baseline.") }
    if margin != nil, metric.count != 1 {
      throw ValidationError("--margin is in one metric's units: choose that metric with --metric.")
    }
  }

  func run() async throws {
    if let threads { Machine.threads = threads }
    let pictures = try PictureFolder(path: folder)
    let other = try reference.map { try PictureFolder(path: $0) }
    let rival = try baseline.map { try PictureFolder(path: $0) }
    if let rival, !PictureEvaluation.arePairs(pictures, rival) {
      throw ValidationError("\(folder) and the baseline \(rival.path) do not hold pictures of the same names and sizes.")
    }
    let nets = try MetricChoices.load(net, device: Device(named: device))
    let choices = try MetricChoices(metric, nets: nets, pictures: pictures, reference: other)
    for left in choices.leftOut { note("left out: \(left)") }
    for unused in choices.unused(net) { note("warning: no metric that is measured uses the network '\(unused)'") }
    let evaluation = try PictureEvaluation(metrics: choices.metrics, batch: batch, bootstrap: Bootstrap(seed: seed))
    let results = try measured(evaluation, pictures, other, "pictures")
    var report = MeasuredPictures(pictures: pictures, reference: other, results: results)
    if let rival {
      let rivals = try measured(evaluation, rival, other, "baseline")
      try report.compare(with: rivals, baseline: rival, margin: margin ?? 0, bootstrap: evaluation.bootstrap)
    }
    report.show(json: json)
  }

  private func measured(
    _ evaluation: PictureEvaluation, _ pictures: PictureFolder, _ reference: PictureFolder?, _ what: String
  ) throws -> [PictureEvaluation.Result] {
    var line = ProgressLine()
    defer { line.clear() }
    return try evaluation.run(pictures, reference: reference) { done in
      try Task.checkCancellation()
      line.show("\(ProgressLine.bar(done)) \(what)")
    }
  }
}

struct EvaluateMetrics: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "List the metrics of 'evaluate pictures' and the networks they use.")

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() async throws { if json { printJSON(MetricList.json) } else { for line in MetricList.lines { print(line) } } }
}
