import ArgumentParser
import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Which site is computed, reused or forecast in which evaluation.",
    discussion: """
      Methods that plan ahead are printed as they are planned. Methods that decide while running, and all methods with --prompt, are shown as they \
      decided for one picture. What is printed with --json can be given back: --accelerate plan:file=FILE. What of a method a plan cannot say \
      (a correction, another rule of forecasts, a second model) is told beside it.

      Examples:
        quickstep plan --steps 50 --accelerate taylorseer:level=module --png plan.png
        quickstep plan -m emoji-unet --steps 50 --accelerate deepcache:interval=5,schedule=centred
        quickstep plan --prompt owl --steps 50 --accelerate first-block-cache:threshold=0.2
      """)

  @Option(help: "NAME or NAME:parameter=value,… (repeatable).")
  var accelerate: [String] = []
  @Option(name: [.short, .long], help: "Id of a model (see 'quickstep models'), a model folder or a single file.", completion: .file())
  var model: String?
  @Option(name: [.customShort("n"), .long], help: "Solver steps (default: the model's).")
  var steps: Int?
  @Option(help: "NAME or NAME:parameter=value,… (default: the model's).")
  var solver: String?
  @Option(name: [.short, .long], help: "Guidance scale (default: the model's).")
  var guidance: Double?
  @Option(help: "Make a picture of this and show what was done.")
  var prompt: String?
  @Option(name: [.short, .long], help: "Seed of that picture.")
  var seed: UInt64 = 0
  @Option(help: "Draw the plan.", completion: .file(extensions: ["png"]))
  var png: String?
  @Flag(help: "Print the plan as JSON.")
  var json = false

  func validate() throws {
    if accelerate.isEmpty { throw ValidationError("Give at least one --accelerate.") }
    if let steps, steps < 1 { throw ValidationError("--steps is \(steps); it must be at least 1.") }
  }

  func run() async throws {
    let folder = try model.map(ModelLibrary.find) ?? ModelLibrary.standard()
    var request = GenerationRequest(prompts: [prompt ?? "0"], seeds: [seed])
    request.accelerations = try accelerate.map { try MethodChoice(parsing: $0) }
    (request.steps, request.guidanceScale) = (steps, guidance)
    if let solver = try solver.map({ try MethodChoice(parsing: $0) }) {
      (request.solver, request.solverParameters) = (solver.name, solver.parameters)
    }
    let (rows, planned) = try await rows(request, folder)
    if let png {
      let title = "\(accelerate.joined(separator: " + ")), \(rows.map(\.codes.count).max() ?? 0) evaluations"
      try PNG.write(PlanPicture(title: title, rows: rows).image(), to: png, makeFolder: true)
    }
    if json {
      for problem in planned.beyondPlans { note("warning: the plan by itself does something else: \(problem)") }
      return print(try plan(rows, planned.keeps).json())
    }
    let width = rows.map(\.name.count).max() ?? 0
    for row in rows { print(row.name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + row.codes) }
    print("\nC computed · R reused · 1…9 forecast of that order · A corrected · I left out · - not visited")
  }

  /// In the order of the network's sites, whatever else is named behind them.
  private func rows(
    _ request: GenerationRequest, _ folder: String
  ) async throws -> (rows: [(name: String, codes: String)], planned: RequestPlan) {
    let outline = try LoadedModel.outline(folder: folder)
    let planned = try ImagePipeline(outline).plan(of: request)
    guard planned.decidesWhileRunning || prompt != nil else { return (ordered(planned.plan.actions.mapValues(\.codes), outline), planned) }
    guard prompt != nil else {
      throw ValidationError("Some of these methods decide while running; --prompt makes a picture and shows what they did.")
    }
    let model = try LoadedModel(folder: folder)
    let companions = try ImagePipeline.companions(of: request, like: model)
    let result = try await Interruption.ending { [request] in try ImagePipeline(model, companions: companions).generate(request) }
    for warning in result.warnings { note("warning: \(warning)") }
    return (ordered(result.accelerations.reduce(into: [:]) { $0.merge($1.actions) { first, _ in first } }, outline), planned)
  }

  private func ordered(_ codes: [String: String], _ model: LoadedModel) -> [(name: String, codes: String)] {
    let places = Dictionary(model.backbone.sites.enumerated().map { ($1.path, $0) }) { first, _ in first }
    return codes.map { (name: $0.key, codes: $0.value) }
      .sorted { (places[$0.name] ?? .max, $0.name) < (places[$1.name] ?? .max, $1.name) }
  }

  private func plan(_ rows: [(name: String, codes: String)], _ keeps: [String: SitePlan.Kept]) throws -> SitePlan {
    let count = rows.map(\.codes.count).max() ?? 0
    let actions = try rows.map { row in
      // What was not visited need not be computed either; a plan says so by computing it.
      (
        row.name,
        try [SiteAction](codes: row.codes.replacing("-", with: "C").padding(toLength: count, withPad: "C", startingAt: 0), of: row.name)
      )
    }
    let named = Set(rows.map(\.name))
    return try SitePlan(
      evaluations: count, actions: Dictionary(actions) { first, _ in first }, keeps: keeps.filter { named.contains($0.key) })
  }
}
