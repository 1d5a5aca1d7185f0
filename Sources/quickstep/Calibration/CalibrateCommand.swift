import ArgumentParser
import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import Synchronization

struct CalibrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Fit a method to a model, once, from runs of that model.",
    discussion: """
      Examples:
        quickstep calibrate olss --model digits --steps 6 -o digits-6.json
        quickstep generate 7 --model digits --solver olss:plan=digits-6.json
        quickstep calibrate gaussian --model digits --per-class --samples 1000 -o digits.gaussian.safetensors
        quickstep calibrate statistics --model digits -o digits.statistics.safetensors
        quickstep generate 7 --model digits --solver dpm-v3:statistics=digits.statistics.safetensors
        quickstep generate 7 --model digits --start teleport:data=digits.gaussian.safetensors,skip=4
        quickstep calibrate teacache cat dog --steps 50 --samples 4 -o emoji.teacache.json
        quickstep generate owl --steps 50 --accelerate teacache:file=emoji.teacache.json
      """,
    subcommands: [
      CalibrateCache.self, CalibrateGaussian.self, CalibrateMagCache.self, CalibrateOLSS.self, CalibrateSmoothCache.self,
      CalibrateStatistics.self,
      CalibrateTeaCache.self,
    ])
}

/// What all calibrations ask for: a model and what its runs are made of.
struct CalibrationOptions: ParsableArguments {
  /// What is taken where nothing is said.
  private enum Standard {
    static let samples = 32
    static let seed: UInt64 = 0
    static let batch = 8
  }

  @Argument(help: "Prompts that the runs take in turn; for class models the default is every class.")
  var prompts: [String] = []
  @Option(name: [.short, .long], help: "Id of a model (see 'quickstep models'), a model folder or a single file.", completion: .file())
  var model: String?
  @Option(name: .customLong("prompts"), help: "A text file with one prompt per line.", completion: .file())
  var file: String?
  @Option(help: "Runs to learn from.")
  var samples = Standard.samples
  @Option(name: [.short, .long], help: "Guidance scale of the runs: the fit holds for this one.")
  var guidance: Double?
  @Option(name: [.short, .long], help: "Seed of the first run; the following ones count up.")
  var seed = Standard.seed
  @Option(help: "Runs made at once.")
  var batch = Standard.batch
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(name: [.short, .long], help: "The file to write.", completion: .file())
  var output: String
  @Flag(name: [.short, .long], help: "No progress, no notes.")
  var quiet = false

  func validate() throws {
    guard (1...100_000).contains(samples) else { throw ValidationError("--samples is \(samples); allowed: 1…100000.") }
    guard batch >= 1 else { throw ValidationError("--batch is \(batch); it must be at least 1.") }
    if let guidance, !guidance.isFinite { throw ValidationError("--guidance must be a finite number.") }
    if file != nil, !prompts.isEmpty { throw ValidationError("--prompts brings its own prompts; give one or the other.") }
    try OutputPath.check(output, for: "--output")
  }

  /// An option given about the runs, where there is one: for what makes none.
  var givenRuns: String? {
    let options = [
      ("A prompt", !prompts.isEmpty), ("--prompts", file != nil), ("--samples", samples != Standard.samples),
      ("--guidance", guidance != nil), ("--seed", seed != Standard.seed), ("--batch", batch != Standard.batch),
    ]
    return options.first { $0.1 }?.0
  }

  /// - Parameter kernels: what layers compute with; `nil` is the standard of the device.
  func load(kernels: KernelChoice? = nil) throws -> LoadedModel {
    let device = try Device(named: device)
    return try LoadedModel(
      folder: try model.map(ModelLibrary.find) ?? ModelLibrary.standard(), device: device,
      kernels: kernels ?? KernelOption.choice(nil, dtype: .float32, device: device))
  }

  /// The runs: prompts in turn, seeds counting up.
  func request(_ model: LoadedModel) throws -> GenerationRequest {
    var texts = prompts
    if let file {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
        throw ValidationError("--prompts \(file) cannot be read.")
      }
      texts = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
    if texts.isEmpty, let classes = model.classCount { texts = (0..<classes).map(String.init) }
    guard !texts.isEmpty else {
      throw ValidationError("'\(model.name)' is asked for things by prompts: give some, or a file of them with --prompts.")
    }
    var request = GenerationRequest(
      prompts: (0..<samples).map { texts[$0 % texts.count] }, seeds: (0..<samples).map { seed &+ UInt64($0) })
    request.guidanceScale = guidance
    return request
  }
}

/// A progress line that several threads may call.
final class CalibrationProgress: Sendable {
  private let line = Mutex(ProgressLine())
  private let isQuiet: Bool

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  func show(_ what: String, _ fraction: Double) {
    if !isQuiet { line.withLock { $0.show("\(ProgressLine.bar(fraction)) \(what)") } }
  }

  func clear() { if !isQuiet { line.withLock { $0.clear() } } }
}

struct CalibrateOLSS: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "olss",
    abstract: "Levels and weights of a linear solver, by least squares from full runs.",
    discussion: """
      The plan holds for this model, this guidance scale and prompts of this kind. The errors that are printed are of the runs it was fitted to;
      how good it is on others, 'quickstep compare' or your eyes must say.
      """)

  @OptionGroup var options: CalibrationOptions
  @Option(name: [.customShort("n"), .long], help: "Evaluations of the fitted solver.")
  var steps = 8
  @Option(help: "Steps of the full runs.")
  var teacherSteps = 100
  @Option(help: "Solver of the full runs: one evaluation per step, without noise.")
  var teacher = "ddim"
  @Option(
    help:
      "Fit all rows to the full runs, then anew to what the plan reaches so many times; 0 is the paper's method (default: rows one after another)."
  )
  var rounds: Int?
  @Option(
    help:
      "A method of acceleration that the fitted runs will have, such as guidance-cache:interval=2: the weights make up for its errors (repeatable)."
  )
  var accelerate: [String] = []

  func validate() throws {
    _ = try accelerate.map { try MethodChoice(parsing: $0) }
    guard steps >= 1, steps <= teacherSteps else {
      throw ValidationError("--steps is \(steps); allowed: 1…\(teacherSteps), the steps of the full runs.")
    }
    if let rounds, !(0...100).contains(rounds) { throw ValidationError("--rounds is \(rounds); allowed: 0…100.") }
  }

  func run() async throws {
    let model = try options.load()
    var request = try options.request(model)
    request.accelerations = try accelerate.map { try MethodChoice(parsing: $0) }
    var calibration = OLSSCalibration(request, steps: steps)
    (calibration.teacher, calibration.teacherSteps) = (teacher, teacherSteps)
    (calibration.rounds, calibration.batch) = (rounds, options.batch)
    let line = CalibrationProgress(isQuiet: options.quiet)
    calibration.progress = { what, fraction in line.show(what, fraction) }
    let plan = try await Interruption.ending { [calibration] in try calibration.fit(model) }
    line.clear()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(Array(encoder.encode(plan)), to: options.output, makeFolder: true)
    guard !options.quiet else { return }
    let errors = plan.errors.map { String(format: "%.4f", $0) }.joined(separator: " ")
    print(
      "wrote \(options.output): \(plan.steps) evaluations at timesteps \(plan.levels.dropLast().map { short($0.timestep) }.joined(separator: " "))"
    )
    print("error of each step on the runs it was fitted to, per element: \(errors)")
  }

  private func short(_ value: Double) -> String { value == value.rounded() ? String(Int(value)) : String(format: "%.1f", value) }
}
