import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

struct TuneCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract: "Find the fastest way to sample that keeps a model's quality, on this machine.",
    discussion: """
      Searches solvers, grids, numbers of steps, caches, guidance and stitching together, for nearness to the exact run and for time; then makes \
      what it found again with other prompts and seeds, beside the exact run and beside fewer steps at equal time, before it claims anything. \
      The result is a recipe (JSON), a page with all figures (HTML) and a picture of the front (PNG) beside it.

      Ctrl-C ends the search and checks what was found so far; once more ends the program. The same command goes on with the trials of an earlier one.

      Examples:
        quickstep tune --model emoji --budget 10m --output emoji.json
        quickstep tune --model emoji-unet --target-speed 8 --budget 20m --output fast.json
        quickstep tune --model FOLDER --prompts mine.txt --steps 50 --solver ddim --target-quality 0.98 --output r.json
      """)

  @Option(name: [.short, .long], help: "Id of a model (see 'quickstep models'), a model folder or a single file.", completion: .file())
  var model: String?
  @Option(help: "Time for everything: 90s, 20m, 2h.")
  var budget = "10m"
  @Option(
    name: [.short, .long], help: "The recipe; page, picture and archive of the trials lie beside it.",
    completion: .file(extensions: ["json"]))
  var output: String
  @Option(help: "Worst likeness to the exact run (by --metric) that the recipe may have, with 95 % confidence (default: 0.95 of ssim).")
  var targetQuality: Double?
  @Option(help: "Least speed-up the recipe must have.")
  var targetSpeed: Double?
  @Option(
    help: ArgumentHelp(
      "A figure the recipe has to keep: \(TuningJudges.names), with NAME:margin=0.03 for the share of the exact run's figure that may be lost "
        + "(repeatable). Without a target the fastest way that keeps them is taken, however near it is to the exact run."))
  var keep: [String] = []
  @Option(help: "Pictures that --keep looks at, of each way.")
  var keepCount = 200
  @Option(help: "The network that --keep asks: NAME or NAME:PATH, see 'quickstep evaluate metrics' (default: the model's own judge).")
  var net: [String] = []
  @Option(help: "What likeness is measured by: \(TuningMeasures.names.joined(separator: ", ")).")
  var metric = "ssim"
  @Option(name: [.customShort("n"), .long], help: "Solver steps of the exact run, and the most that are tried.")
  var steps = 50
  @Option(help: "Solver of the exact run.")
  var solver = "ddim"
  @Option(name: [.short, .long], help: "Guidance scale (default: the model's).")
  var guidance: Double?
  @Option(help: "A style the model knows, or none.")
  var style: String?
  @Option(help: "WIDTHxHEIGHT in pixels.")
  var size: String?
  @Option(help: "A text file with a prompt per line; the first half is searched with, the other half checked with.", completion: .file())
  var prompts: String?
  @Option(help: "Prompts the search uses.")
  var searchCount = 4
  @Option(help: "Prompts the check uses.")
  var checkCount = 12
  @Option(help: "Exact runs that solvers are fitted to before the search (OLSS); 0 leaves them out.")
  var fitCount = 16
  @Option(help: "A model that may do the first steps (repeatable).")
  var companion: [String] = []
  @Option(help: "Most ways to try (default: as many as the time allows).")
  var trials: Int?
  @Option(help: ArgumentHelp("What is searched: " + AllSpaces.all.map { "\($0.name) (\($0.summary))" }.joined(separator: "; ")))
  var space = JointSpace.kind.name
  @Option(help: "NAME or NAME:parameter=value,… (see 'quickstep methods --family searcher'; default: the one that goes with the space).")
  var searcher: String?
  @Option(help: "A recipe, or methods joined by ' + ', to begin with (repeatable).")
  var begin: [String] = []
  @Option(name: [.short, .long], help: "Seed of the search and of its first picture.")
  var seed: UInt64 = 0
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?
  @Flag(help: "Begin anew where there is an archive of an earlier search.")
  var fresh = false
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if targetQuality != nil, targetSpeed != nil { throw ValidationError("Give --target-quality or --target-speed, not both.") }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
    if searchCount < 1 || checkCount < 2 { throw ValidationError("--search-count must be at least 1, --check-count at least 2.") }
    if fitCount < 0 { throw ValidationError("--fit-count is \(fitCount); it must be 0 or more.") }
    if keepCount < 2 { throw ValidationError("--keep-count is \(keepCount); at least 2 are needed.") }
    if keep.isEmpty, !net.isEmpty { throw ValidationError("--net has no effect without --keep.") }
    if let trials, trials < 1 { throw ValidationError("--trials is \(trials); it must be at least 1.") }
    if steps < 2 { throw ValidationError("--steps is \(steps); there is nothing to be saved below 2.") }
    if !output.hasSuffix(".json") { throw ValidationError("--output \(output) is a recipe, so its name ends in .json.") }
    try OutputPath.check(output, for: "--output")
    _ = try seconds()
    try TuningMeasures.check(metric)
    _ = try AllSpaces.named(space)
  }

  func run() async throws {
    if let threads { Machine.threads = threads }
    let device = try Device(named: device)
    let model = try LoadedModel(
      folder: try self.model.map(ModelLibrary.find) ?? ModelLibrary.standard(), device: device,
      kernels: KernelOption.choice(nil, dtype: .float32, device: device))
    let settings = try settings(model)
    if fresh { try removeArchive(settings.archive) }
    let tuner = try Tuner(model, settings: settings, measures: TuningMeasures.all(first: metric, model: model))
    let display = TuningDisplay(exact: settings.exact.steps ?? steps)
    let result = try await Interruption.stopping { try await tuner.run { display.show($0) } }
    display.finish()
    try TuningOutput(command: self, model: model, settings: settings, searcher: tuner.searcher, result: result).write()
  }

  private func seconds() throws -> Double {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
    guard let unit = budget.last.flatMap({ units[$0] }), let count = Double(budget.dropLast()), count > 0, count.isFinite else {
      throw ValidationError("--budget \(budget) is no time; write 90s, 20m or 2h.")
    }
    return count * unit
  }

  private func settings(_ model: LoadedModel) throws -> TuningSettings {
    var exact = GenerationRequest(prompts: [], seeds: [])
    exact.steps = steps
    exact.guidanceScale = guidance ?? model.defaults.guidanceScale
    exact.style = style
    let choice = try MethodChoice(parsing: solver)
    (exact.solver, exact.solverParameters) = (choice.name, choice.parameters)
    if let size { (exact.width, exact.height) = try GenerationJob.parseSize(size) }
    let judges = try TuningJudges(model, nets: net, keep: keep)
    let texts = try TuningPrompts.choose(
      model, file: prompts, known: judges.known, search: searchCount, check: checkCount, fit: fitCount)
    var settings = TuningSettings(
      exact: exact, prompts: texts.search, heldOut: texts.check, budget: try seconds(),
      archive: output.dropLast(5) + ".trials.sqlite")
    settings.seed = seed
    settings.fitting = texts.fit
    (settings.safeguards, settings.safeguardPrompts) = try judges.safeguards(
      style: style ?? model.defaults.style, count: keepCount, unseen: texts.unseen)
    settings.companions = companion
    settings.trialLimit = trials
    settings.space = space
    settings.searcher = try searcher.map { try MethodChoice(parsing: $0) }
    settings.known = try begin.map { $0.hasSuffix(".json") ? try Recipe(path: $0).sampling : try SamplingSettings(parsing: $0) }
    if let targetSpeed { settings.target = .speed(targetSpeed) }
    if let figure = targetQuality ?? TuningMeasures.standardTarget(metric), targetSpeed == nil { settings.target = .quality(figure) }
    if targetQuality == nil, targetSpeed == nil, !keep.isEmpty { settings.target = .kept }
    if targetQuality == nil, targetSpeed == nil, keep.isEmpty, TuningMeasures.standardTarget(metric) == nil {
      throw ValidationError("--metric \(metric) has no standard target; give --target-quality or --target-speed.")
    }
    return settings
  }

  private func removeArchive(_ path: String) throws {
    for file in ["", "-wal", "-shm", ".costs.json", ".fitted.json"].map({ path + $0 }) where FileManager.default.fileExists(atPath: file) {
      try FileManager.default.removeItem(atPath: file)
    }
  }
}
