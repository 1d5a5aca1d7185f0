import ArgumentParser
import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepPipelines

/// What calibrations of caches ask for: the runs as they will be accelerated.
struct CacheCalibrationOptions: ParsableArguments {
  @OptionGroup var options: CalibrationOptions
  @Option(name: [.customShort("n"), .long], help: "Solver steps of the runs (default: the model's).")
  var steps: Int?
  @Option(help: "Solver of the runs (default: the model's).")
  var solver: String?

  func validate() throws {
    if let steps, steps < 2 { throw ValidationError("--steps is \(steps); allowed: 2 and above.") }
  }

  /// Measures, writes the file and returns what it holds.
  func write(_ kind: CacheCalibration.Kind, _ change: (inout CacheMeasurement) -> Void = { _ in }) async throws -> CacheCalibration {
    let model = try options.load()
    var request = try options.request(model)
    request.steps = steps
    if let solver {
      let choice = try MethodChoice(parsing: solver)
      (request.solver, request.solverParameters) = (choice.name, choice.parameters)
    }
    var measurement = CacheMeasurement(request, kind: kind)
    measurement.batch = options.batch
    change(&measurement)
    let line = CalibrationProgress(isQuiet: options.quiet)
    measurement.progress = { what, fraction in line.show(what, fraction) }
    let calibration = try await Interruption.ending { [measurement] in try measurement.measure(model) }
    line.clear()
    try AtomicFile.write(Array((try calibration.json() + "\n").utf8), to: options.output, makeFolder: true)
    return calibration
  }

  func say(_ text: String) { if !options.quiet { print("wrote \(options.output): \(text)") } }
}

struct CalibrateTeaCache: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "teacache",
    abstract: "The polynomial from changes of the modulated input to changes of the output, for --accelerate teacache.",
    discussion: "It holds for this model, this guidance scale, and grids of about as many steps.")

  @OptionGroup var runs: CacheCalibrationOptions
  @Option(help: "Degree of the polynomial.")
  var degree = 4

  func validate() throws {
    guard (1...12).contains(degree) else { throw ValidationError("--degree is \(degree); allowed: 1…12.") }
  }

  func run() async throws {
    let found = try await runs.write(.changes) { $0.degree = degree }
    let numbers = (found.coefficients ?? []).map { String(format: "%.6g", $0) }.joined(separator: ",")
    let range = (found.range ?? []).map { String(format: "%.4f", $0) }.joined(separator: "…")
    runs.say(
      "coefficients \(numbers) for input changes of \(range); they explain \(String(format: "%.1f", 100 * (found.explained ?? 0))) % of the "
        + "variance")
  }
}

struct CalibrateMagCache: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "magcache",
    abstract: "Ratios of the size of the blocks' residual from evaluation to evaluation, for --accelerate magcache.",
    discussion: "They are resampled for other numbers of evaluations. One or a few runs are enough.")

  @OptionGroup var runs: CacheCalibrationOptions

  func run() async throws {
    let ratios = try await runs.write(.magnitudes).ratios ?? []
    runs.say("\(ratios.count) ratios of \(String(format: "%.4f…%.4f", ratios.min() ?? 1, ratios.max() ?? 1))")
  }
}

struct CalibrateSmoothCache: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "smoothcache",
    abstract: "Differences of module outputs between evaluations, for --accelerate smoothcache.",
    discussion: "They hold for this model, guidance scale and number of steps.")

  @OptionGroup var runs: CacheCalibrationOptions
  @Option(help: "Evaluations between outputs that are compared, at most.")
  var lag = 3

  func validate() throws {
    guard (1...50).contains(lag) else { throw ValidationError("--lag is \(lag); allowed: 1…50.") }
  }

  func run() async throws {
    let found = try await runs.write(.differences) { $0.longestLag = lag }.differences ?? [:]
    let means = found.sorted { $0.key < $1.key }.map { name, rows in
      "\(name) " + rows.map { row in String(format: "%.3f", row.reduce(0, +) / Double(max(1, row.count))) }.joined(separator: " ")
    }
    runs.say("mean difference after 1, 2, … evaluations: \(means.joined(separator: "; "))")
  }
}
