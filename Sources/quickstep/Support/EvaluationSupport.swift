public import ArgumentParser
import Foundation
public import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// How pictures are made for an evaluation.
struct EvaluationOptions: ParsableArguments {
  @Option(help: "NAME or NAME:parameter=value,… (default: the model's).")
  var solver: String?
  @Option(help: "How noise levels are spaced: NAME or NAME:parameter=value,… (default: the model's).")
  var grid: String?
  @Option(help: "Cache or other acceleration, NAME or NAME:parameter=value,… (repeatable).")
  var accelerate: [String] = []
  @Option(help: "How runs begin later than at noise: NAME:parameter=value,… (see 'quickstep methods --family start').")
  var start: String?
  @Option(help: "Sample by this recipe, in place of everything above and --steps.", completion: .file(extensions: ["json"]))
  var recipe: String?
  @Option(name: [.customShort("n"), .long], help: "Solver steps (default: the model's).")
  var steps: Int?
  @Option(name: [.short, .long], help: "Guidance scale (default: the model's).")
  var guidance: Double?
  @Option(name: [.short, .long], help: "Decides which pairs are drawn, and all noise.")
  var seed: UInt64 = 0
  @Option(help: "Pictures computed at once.")
  var batch = 16
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: ArgumentHelp(KernelOption.help))
  var kernels: String?
  @Option(help: "Threads per operator (default: all cores).")
  var threads: Int?
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let kernels { try KernelOption.check(kernels) }
    if batch < 1 { throw ValidationError("--batch is \(batch); it must be at least 1.") }
    if let steps, steps < 1 { throw ValidationError("--steps is \(steps); it must be at least 1.") }
    if let guidance, !guidance.isFinite { throw ValidationError("--guidance must be a finite number.") }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
    let given = [
      ("--solver", solver != nil), ("--grid", grid != nil), ("--accelerate", !accelerate.isEmpty), ("--start", start != nil),
      ("--steps", steps != nil),
    ]
    if recipe != nil, let other = given.first(where: \.1) {
      throw ValidationError("\(other.0) and --recipe both say how to sample; leave one of them out.")
    }
  }

  /// What the options for solver, grid, start, steps and methods say.
  func sampling() throws -> SamplingSettings {
    var settings = SamplingSettings()
    settings.solver = try solver.map { try MethodChoice(parsing: $0) }
    settings.grid = try grid.map { try MethodChoice(parsing: $0) }
    settings.start = try start.map { try MethodChoice(parsing: $0) }
    settings.steps = steps
    settings.accelerations = try accelerate.map { try MethodChoice(parsing: $0) }
    return settings
  }

  /// The recipe that was asked for.
  /// - Throws: `ValidationError` where it does not fit the model.
  func chosenRecipe(_ model: LoadedModel) throws -> Recipe? {
    guard let recipe else { return nil }
    let found = try Recipe(path: recipe)
    if let refusal = found.findings(
      model: model, machine: Recipe.Machine(processor: MachineFacts.read().cpu, threads: Machine.threads, model: model),
      guidanceScale: guidance
    ).first(where: \.isRefusal) {
      throw ValidationError("\(recipe): \(refusal.text).")
    }
    return found
  }

  /// Applies the settings of the machine.
  func prepare() throws -> Device {
    if let threads { Machine.threads = threads }
    return try Device(named: device)
  }

  /// The model to be judged.
  func load(_ folder: String, device: Device) throws -> LoadedModel {
    try LoadedModel(folder: folder, device: device, kernels: KernelOption.choice(kernels, dtype: .float32, device: device))
  }
}

/// Makes the pictures to be judged.
struct PictureMaker {
  /// Pictures in the order in which they were asked for.
  struct Pictures {
    /// `[N, C, H, W]`.
    var pixels: Tensor
    var count: Int
    var seconds: Double
    /// Solver, steps and guidance that were used.
    var settings: String
    var warnings: [String]
    /// Of every request that was made from chains: what these did.
    var chains: [ChainReport] = []
  }

  let model: LoadedModel
  let options: EvaluationOptions
  private let recipe: Recipe?
  private let other: SamplingSettings?

  /// - Parameter other: another way to sample than the options name.
  /// - Throws: `ValidationError` for a recipe of another model.
  init(model: LoadedModel, options: EvaluationOptions, other: SamplingSettings? = nil) throws {
    (self.model, self.options, self.other) = (model, options, other)
    recipe = other == nil ? try options.chosenRecipe(model) : nil
  }

  /// One picture per pair. A request has one style, so pairs are made style by style; each keeps the seed of its place.
  func make(_ pairs: [EmojiRow]) throws -> Pictures {
    let styles = pairs.reduce(into: [String]()) { if !$0.contains($1.style) { $0.append($1.style) } }
    return try make(styles.map { style in Job(style: style, places: pairs.indices.filter { pairs[$0].style == style }) }) { pairs[$0].name }
  }

  /// One picture per class.
  func make(_ classes: [String]) throws -> Pictures {
    try make([Job(style: nil, places: Array(classes.indices))]) { classes[$0] }
  }

  private struct Job {
    var style: String?
    var places: [Int]
  }

  private func make(_ jobs: [Job], prompt: (Int) -> String) throws -> Pictures {
    let count = jobs.reduce(0) { $0 + $1.places.count }
    var tensors = [Tensor](repeating: .undefined, count: count)
    var seconds = 0.0
    var settings = ""
    var warnings: [String] = []
    var chains: [ChainReport] = []
    var done = 0
    var line = ProgressLine()
    let outline = try request([], [], style: nil)
    let companions = try ImagePipeline.companions(of: outline, like: model)
    for job in jobs {
      // Requests of a few batches, so that progress shows and no picture of a style is kept twice for long. A chain makes pictures of a whole
      // request.
      let size = outline.start == nil ? options.batch : max(1, job.places.count)
      for start in stride(from: 0, to: job.places.count, by: size) {
        let places = Array(job.places[start..<min(start + size, job.places.count)])
        let pipeline = ImagePipeline(model, companions: companions)
        let result = try pipeline.generate(try request(places.map(prompt), places, style: job.style))
        for (place, image) in zip(places, result.images) { tensors[place] = image.pixels }
        seconds += result.seconds.encode + result.seconds.denoise + result.seconds.decode
        warnings += result.warnings.filter { !warnings.contains($0) }
        if let report = result.chains { chains.append(report) }
        if let used = result.images.first?.settings { settings = Self.text(used) }
        done += places.count
        let left = seconds / Double(done) * Double(count - done)
        line.show("\(ProgressLine.bar(Double(done) / Double(count))) \(done)/\(count) pictures  \(ProgressLine.duration(left)) left")
      }
    }
    line.clear()
    let pixels = try withTensorErrors { Tensor.stack(tensors) }
    return Pictures(pixels: pixels, count: count, seconds: seconds, settings: settings, warnings: warnings, chains: chains)
  }

  /// How pictures were sampled, whatever asked for it: options, a recipe or the model.
  private static func text(_ used: GenerationSettings) -> String {
    let solver = MethodChoice(used.solver, parameters: used.solverParameters)
    let grid = MethodChoice(used.spacing, parameters: used.spacingParameters)
    var text = "\(used.model), \(solver.title), grid \(grid.title), \(used.steps) steps, guidance \(used.guidanceScale)"
    if used.guidanceStart > 0 || used.guidanceEnd < 1 { text += " in \(used.guidanceStart)-\(used.guidanceEnd)" }
    text += (used.accelerations ?? []).map { ", \($0)" }.joined()
    if let start = used.start { text += ", start \(start)" }
    return text
  }

  private func request(_ prompts: [String], _ places: [Int], style: String?) throws -> GenerationRequest {
    var request = GenerationRequest(prompts: prompts, seeds: places.map { options.seed &+ UInt64($0) })
    request.guidanceScale = options.guidance
    request = try other?.applied(to: request) ?? recipe?.applied(to: request) ?? options.sampling().applied(to: request)
    (request.style, request.batch) = (style, options.batch)
    return request
  }
}

/// The figures of one evaluation, as a table or as JSON.
struct EvaluationReport {
  let model: String
  private(set) var made: PictureMaker.Pictures?
  private(set) var figures: [Figure] = []

  init(model: String, made: PictureMaker.Pictures?) {
    self.model = model
    self.made = made
  }

  mutating func add(_ figure: Figure) { figures.append(figure) }

  /// Counts further pictures in.
  mutating func add(_ pictures: PictureMaker.Pictures) {
    guard let before = made else { return made = pictures }
    made?.count = before.count + pictures.count
    made?.seconds = before.seconds + pictures.seconds
    made?.warnings = before.warnings + pictures.warnings.filter { !before.warnings.contains($0) }
    made?.chains = before.chains + pictures.chains
  }

  func show(json: Bool) {
    for warning in made?.warnings ?? [] { note("warning: \(warning)") }
    if json { printJSON(object) } else { for text in lines { print(text) } }
  }

  /// The first figure's members at the top, the others in `more`.
  private var object: JSONValue {
    var members = figures.first?.json.object ?? [:]
    members["model"] = .string(model)
    members["more"] = .array(figures.dropFirst().map(\.json))
    if let made {
      members["seconds_per_picture"] = .number(made.seconds / Double(max(1, made.count)))
      members["warnings"] = .strings(made.warnings)
      if !made.chains.isEmpty { members["chains"] = .array(made.chains.map { ChainFigures($0).json }) }
    }
    return .object(members)
  }

  private var lines: [String] {
    var table = TextTable([
      .init(title: "metric"), .init(title: "value", alignsRight: true), .init(title: "95 % interval"), .init(title: "n", alignsRight: true),
      .init(title: "measured on", fit: .wrapped),
    ])
    for entry in figures {
      table.add([entry.metric, entry.shown(entry.value), entry.shownInterval, Quantity.grouped(entry.count), entry.procedure])
    }
    guard let made else { return table.lines() }
    let each = Quantity.seconds(made.seconds / Double(max(1, made.count)))
    return table.lines() + ["  \(made.count) pictures in \(Quantity.seconds(made.seconds)), \(each) each"]
      + made.chains.map { "  " + ChainFigures($0).text }
  }
}

extension Figure {
  /// A value of this figure: shares in percent, others with four digits.
  func shown(_ value: Double) -> String { isShare ? String(format: "%.1f %%", value * 100) : String(format: "%.4g", value) }

  /// Both ends; empty where there is no interval.
  var shownInterval: String {
    guard let interval else { return "" }
    guard isShare else { return "\(shown(interval.lowerBound)) … \(shown(interval.upperBound))" }
    return String(format: "%.1f–%.1f %%", interval.lowerBound * 100, interval.upperBound * 100)
  }
}

/// Classifiers are components: their folder, or that of a model that holds one as `classifier`.
enum ClassifierFolder {
  static func find(_ idOrPath: String) throws -> String {
    func component(_ folder: String) -> String? {
      [folder, folder + "/classifier"].first { FileManager.default.fileExists(atPath: $0 + "/config.json") }
    }
    if let found = component(idOrPath) { return found }
    let folder = try ModelLibrary.find(idOrPath)
    return component(folder) ?? folder
  }
}

extension EmojiPairs: ExpressibleByArgument {}
extension EmojiRetrieval.Scope: ExpressibleByArgument {}
