import ArgumentParser
import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor

struct CalibrateStatistics: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "statistics",
    abstract: "Statistics of a model per noise level, for --solver dpm-v3.",
    discussion: """
      They hold for this model and this guidance scale, and for one size of pictures unless they are taken per channel. All runs are kept in memory:
      samples × levels × 8 bytes per element.
      """)

  @OptionGroup var options: CalibrationOptions
  @Option(help: "Noise levels, evenly spaced in log-SNR.")
  var levels = 60
  @Option(help: "Random signs per run and level, for the derivatives.")
  var probes = 1
  @Flag(help: "One value per channel in place of one per element.")
  var perChannel = false

  func validate() throws {
    guard (4...2000).contains(levels) else { throw ValidationError("--levels is \(levels); allowed: 4…2000.") }
    guard (1...100).contains(probes) else { throw ValidationError("--probes is \(probes); allowed: 1…100.") }
  }

  func run() async throws {
    // Gradients pass through plain layers only.
    let model = try options.load(kernels: .plain)
    var calibration = StatisticsCalibration(try options.request(model))
    (calibration.levels, calibration.probes, calibration.isPerChannel) = (levels, probes, perChannel)
    calibration.batch = options.batch
    let line = CalibrationProgress(isQuiet: options.quiet)
    calibration.progress = { what, fraction in line.show(what, fraction) }
    let statistics = try await Interruption.ending { [calibration] in try calibration.statistics(model) }
    line.clear()
    try statistics.write(to: options.output, note: ["model": model.name, "samples": String(options.samples)])
    if !options.quiet { print("wrote \(options.output): \(statistics.lambdas.count) levels of \(statistics.shape)") }
  }
}
