public import ArgumentParser
import QuickstepAcceleration
public import QuickstepPipelines

struct CalibrateCache: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Schedule and correction of a cache, for --accelerate cachequant.",
    discussion: """
      One point inside the network is recorded over full runs: everything deeper than a skip connection of a U-Net, or what a list of blocks adds.
      The fit holds for this model, solver, guidance scale and number of steps.

        quickstep calibrate cache --model emoji-unet --prompts prompts.txt --steps 50 --interval 5 -o unet-50.cache.safetensors
        quickstep generate owl --model emoji-unet --steps 50 --accelerate cachequant:file=unet-50.cache.safetensors
        quickstep generate owl --model emoji --steps 50 --accelerate cachequant:file=emoji-50.cache.safetensors,order=1
      """)

  /// How full evaluations are chosen.
  enum Schedule: String, ExpressibleByArgument, CaseIterable { case fitted, uniform }

  @OptionGroup var options: CalibrationOptions
  @Option(name: [.customShort("n"), .long], help: "Solver steps of the runs (default: the model's).")
  var steps: Int?
  @Option(help: "Solver of the runs (default: the model's).")
  var solver: String?
  @Option(help: "Mean evaluations per full one.")
  var interval = 5
  @Option(help: "Skip connection up to which a U-Net's layers run anew; 0 is the outermost (default for U-Nets: 0).")
  var branch: Int?
  @Option(help: "fitted: where the sum of errors is least; uniform: every N-th evaluation.")
  var schedule = Schedule.fitted
  @Option(
    help:
      "What distances count by: influence (what an error there does to the final picture, by the solver's coefficients), size (that of the values), none (all the same, as in the paper)."
  )
  var weighting = CorrectionCalibration.Weighting.influence

  func validate() throws {
    guard (2...1000).contains(interval) else { throw ValidationError("--interval is \(interval); allowed: 2…1000.") }
    if let steps, steps < 1 { throw ValidationError("--steps is \(steps); it must be at least 1.") }
    if let branch, branch < 0 { throw ValidationError("--branch is \(branch); it must be at least 0.") }
  }

  func run() async throws {
    let model = try options.load()
    var request = try options.request(model)
    (request.steps, request.solver) = (steps, solver)
    var calibration = CorrectionCalibration(request)
    calibration.point = branch.map { .inner($0) }
    (calibration.interval, calibration.isUniform, calibration.weighting) = (interval, schedule == .uniform, weighting)
    calibration.batch = options.batch
    let line = CalibrationProgress(isQuiet: options.quiet)
    calibration.progress = { what, fraction in line.show(what, fraction) }
    let result = try await Interruption.ending { [calibration] in try calibration.fit(model) }
    line.clear()
    try result.calibration.write(to: options.output)
    guard !options.quiet else { return }
    let found = result.calibration
    print(
      "wrote \(options.output): \(found.point), \(found.channels) channels, full in \(found.starts.count) of \(found.evaluations) evaluations"
    )
    print("full evaluations: \(found.starts.map(String.init).joined(separator: " "))")
    print(
      "on the runs it was fitted to: distances \(percent(result.scheduleCost)) of those of every \(interval)th evaluation, "
        + "errors after correction \(percent(result.correctedShare)) of those before")
  }

  private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
}

extension CorrectionCalibration.Weighting: ExpressibleByArgument {}
