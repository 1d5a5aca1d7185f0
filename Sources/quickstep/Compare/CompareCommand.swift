import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "What caches and other accelerations gain and cost, beside fewer steps at equal time.",
    discussion: """
      Every contender makes the same pictures from the same noise as the exact run, picture by picture in turn, so that a machine that is slow for \
      a while is slow for all; times are shares of the exact run's. 'modules' is the share of attentions, feed-forward layers and residual blocks \
      that methods inside the network left to be computed, 'work' that of all multiplications. The perceptual and the Fréchet distance need the \
      data location's SqueezeNet and are left out without it, with a warning.

      Beside each contender stand its rivals, measured in turn with the exact run as well: the exact run with the most steps that take no longer \
      than the contender, and with the fewest that take no less. It is better where it is nearer to the exact run's pictures than the slower rival, \
      worse where it is less near than the faster one, and even where neither can be told from chance, by the interval of the paired difference of \
      SSIM. A way that takes as long as the exact run has that one as its faster rival.

      A contender is one method or several joined by ' + '; besides accelerations it may name a solver, a grid, a start method and steps=N.

      Examples:
        quickstep compare owl fox pizza --steps 50 --accelerate taylorseer:interval=4 --accelerate first-block-cache
        quickstep compare owl -m emoji-unet --steps 50 --accelerate "deepcache:interval=3 + guidance-cache" --sheet sheet.png
        quickstep compare 3 7 -m digits --steps 50 --accelerate "ddim + steps=25 + deepcache" --markdown table.md
      """)

  @Argument(help: "Prompts, one picture each; for class models the class's number.")
  var prompts: [String]
  @Option(name: [.short, .long], help: "Id of a model (see 'quickstep models'), a model folder or a single file.", completion: .file())
  var model: String?
  @Option(help: "A contender: NAME or NAME:parameter=value,…, several joined by ' + ' (repeatable).")
  var accelerate: [String] = []
  @Option(help: "A recipe as a contender (repeatable).", completion: .file(extensions: ["json"]))
  var recipe: [String] = []
  @Option(name: [.customShort("n"), .long], help: "Solver steps of the exact run (default: the model's).")
  var steps: Int?
  @Option(help: "Solver of the exact run and its rivals (default: the model's).")
  var solver: String?
  @Option(name: [.short, .long], help: "Guidance scale (default: that of the recipes, or the model's).")
  var guidance: Double?
  @Option(name: [.short, .long], help: "Seed of the first picture; the following ones count up.")
  var seed: UInt64 = 0
  @Option(name: [.short, .long], help: "Pictures per prompt.")
  var count = 1
  @Option(help: "A style the model knows, or none.")
  var style: String?
  @Option(help: "WIDTHxHEIGHT in pixels.")
  var size: String?
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?
  @Flag(inversion: .prefixedNo, help: "Measure the rivals with fewer steps as well.")
  var rivals = true
  @Option(help: "All pictures side by side, a row per contender.", completion: .file(extensions: ["png"]))
  var sheet: String?
  @Option(help: "Likeness against time as a share of the exact run's, contenders and fewer steps.", completion: .file(extensions: ["png"]))
  var plot: String?
  @Option(help: "Also write the table as Markdown.", completion: .file(extensions: ["md"]))
  var markdown: String?
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if accelerate.isEmpty, recipe.isEmpty { throw ValidationError("Give at least one --accelerate or --recipe.") }
    if count < 1 || count > 1000 { throw ValidationError("--count is \(count); allowed: 1…1000.") }
    if let steps, steps < 2 { throw ValidationError("--steps is \(steps); there is nothing to be saved below 2.") }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
    for (option, path) in [("--sheet", sheet), ("--plot", plot), ("--markdown", markdown)] {
      if let path { try OutputPath.check(path, for: option) }
    }
  }

  func run() async throws {
    if let threads { Machine.threads = threads }
    let device = try Device(named: device)
    var contenders = try accelerate.map { try Contender($0) }
    let model = try LoadedModel(
      folder: try self.model.map(ModelLibrary.find) ?? ModelLibrary.standard(), device: device,
      kernels: KernelOption.choice(nil, dtype: .float32, device: device))
    let recipes = try recipe.map { (path: $0, recipe: try Recipe(path: $0)) }
    let guidance = try guidance ?? Self.scale(of: recipes)
    for (path, recipe) in recipes {
      let machine = Recipe.Machine(processor: MachineFacts.read().cpu, threads: Machine.threads, model: model)
      for finding in recipe.findings(model: model, machine: machine, guidanceScale: guidance) { note("warning: \(path): \(finding.text)") }
      contenders.append(try Contender(recipe))
    }
    let request = try request(model, guidance: guidance)
    let net = try SqueezeNetFeatures.whereAvailable(
      device, pictures: (request.width ?? model.pictureSize.width, request.height ?? model.pictureSize.height),
      otherwise: "the perceptual and the Fréchet distance are left out")
    let runs = try await Interruption.ending { [contenders] in try ComparedRuns(model, request, contenders, rivals: rivals, net: net) }
    let table = ComparisonTable(runs, model: model, request: request)
    if let sheet { try PNG.write(runs.sheet(), to: sheet, makeFolder: true) }
    if let plot { try PNG.write(table.plot(), to: plot, makeFolder: true) }
    if let markdown { try AtomicFile.write(Array(table.markdown.utf8), to: markdown, makeFolder: true) }
    if json { printJSON(table.json) } else { print(table.text) }
  }

  /// The guidance scale that recipes were measured at: all run beside one exact run.
  private static func scale(of recipes: [(path: String, recipe: Recipe)]) throws -> Double? {
    let scales = Set(recipes.map(\.recipe.guidanceScale))
    guard scales.count > 1 else { return scales.first }
    let texts = recipes.map { "\($0.path): \($0.recipe.guidanceScale)" }
    throw ValidationError("The recipes have different guidance scales (\(texts.joined(separator: ", "))); --guidance gives one for all.")
  }

  private func request(_ model: LoadedModel, guidance: Double?) throws -> GenerationRequest {
    let prompts = prompts.flatMap { Array(repeating: $0, count: count) }
    var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { seed &+ UInt64($0) })
    request.steps = steps ?? model.defaults.steps
    request.guidanceScale = guidance
    request.style = style
    if let solver = try solver.map({ try MethodChoice(parsing: $0) }) {
      (request.solver, request.solverParameters) = (solver.name, solver.parameters)
    }
    if let size { (request.width, request.height) = try GenerationJob.parseSize(size) }
    return request
  }
}
