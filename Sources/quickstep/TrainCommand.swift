import ArgumentParser
import Foundation
import QuickstepTensor
import QuickstepTraining

struct TrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a model from a plan; continues where it was interrupted.",
    discussion: """
      A plan (JSON) names the task, the networks, the data and every number that matters; see Models/*/training.json for the ones
      the built-in models were made with. The run folder receives checkpoint.safetensors, loss.csv, loss.png and, at the end, after an
      interruption and with --export-only, model/: the averaged weights as a folder that 'generate --model' takes.

      Interrupt it at any time: the same command continues, bit for bit as if it had not stopped.

      Example:
        quickstep train Models/digits/training.json --output runs/digits
      """)

  @Argument(help: "The training plan.", completion: .file(extensions: ["json"]))
  var plan: String
  @Option(name: [.short, .long], help: "The run's folder.", completion: .directory)
  var output: String
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?
  @Option(help: "Stop after this many minutes; the same command continues later.")
  var minutes: Double?
  @Option(help: "Seconds between checkpoints.")
  var checkpointSeconds = 300.0
  @Flag(help: "Train nothing; write model/ from the checkpoint.")
  var exportOnly = false

  func run() async throws {
    if let threads { Machine.threads = threads }
    Machine.setFlushDenormals(true)
    try OutputPath.checkFolder(output, for: "--output")
    let plan = try TrainingPlan.read(self.plan)
    let context = TrainingContext(device: try Device(named: device), note: { note($0) })
    let trainer = try Trainer(plan, folder: output, context: context)
    if !exportOnly {
      let interruption = Interruption()
      let start = Date()
      var line = ProgressLine()
      let finished = try trainer.run(
        checkpointSeconds: checkpointSeconds,
        report: { line.show(describe($0)) },
        shouldStop: { interruption.isRequested || minutes.map { Date().timeIntervalSince(start) > $0 * 60 } ?? false })
      line.clear()
      note(finished ? "finished \(plan.steps) steps" : "stopped at step \(trainer.step) of \(plan.steps); run the same command to continue")
    }
    try trainer.export(to: output + "/model")
    note("model written to \(output)/model")
  }

  private func describe(_ progress: Trainer.Progress) -> String {
    let fraction = Double(progress.step) / Double(progress.steps)
    return "\(ProgressLine.bar(fraction)) step \(progress.step)/\(progress.steps)  loss \(String(format: "%.4f", progress.loss))  "
      + "\(String(format: "%.1f", progress.samplesPerSecond)) samples/s  \(ProgressLine.duration(progress.secondsLeft)) left"
  }
}
