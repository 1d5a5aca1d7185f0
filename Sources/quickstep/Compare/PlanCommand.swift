import ArgumentParser
import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Which site is computed, reused or forecast in which evaluation.",
    discussion: """
      Methods that plan ahead are printed as they are planned. Methods that decide while running, and all methods with --prompt, are shown as they \
      decided for one picture. What is printed with --json can be given back: --accelerate plan:file=FILE. What of a method a plan cannot say \
      (a correction, another rule of forecasts) is told beside it. Where models share the run, each has a block of its own under its name.

      Examples:
        quickstep plan --steps 50 --accelerate taylorseer:level=module --png plan.png
        quickstep plan -m emoji-unet --steps 50 --accelerate deepcache:interval=5,schedule=centred
        quickstep plan --prompt owl --steps 50 --accelerate first-block-cache:threshold=0.2
        quickstep plan --steps 50 --accelerate stitch:models=emoji-small,fraction=0.3 --accelerate fora
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
    if let png { try OutputPath.check(png, for: "--png") }
  }

  func run() async throws {
    let folder = try model.map(ModelLibrary.find) ?? ModelLibrary.standard()
    var request = GenerationRequest(prompts: [prompt ?? "0"], seeds: [seed])
    request.accelerations = try accelerate.map { try MethodChoice(parsing: $0) }
    (request.steps, request.guidanceScale) = (steps, guidance)
    if let solver = try solver.map({ try MethodChoice(parsing: $0) }) {
      (request.solver, request.solverParameters) = (solver.name, solver.parameters)
    }
    let outline = try LoadedModel.outline(folder: folder)
    let planned = try ImagePipeline(outline, companions: ImagePipeline.companions(of: request, like: outline)).plan(of: request)
    let view = PlanView(planned, reports: try await reports(request, folder, planned))
    if let png {
      let title = "\(accelerate.joined(separator: " + ")), \(view.evaluations) evaluations"
      try PNG.write(view.picture(title: title).image(), to: png, makeFolder: true)
    }
    guard json else { return print(view.text) }
    for problem in planned.beyondPlans { note("warning: the plan by itself does something else: \(problem)") }
    if planned.isShared { note("warning: these are plans of several models, of which --accelerate plan:file=FILE follows one alone") }
    print(try view.json())
  }

  /// What methods did in a run, where one is asked for.
  private func reports(_ request: GenerationRequest, _ folder: String, _ planned: RequestPlan) async throws -> [AccelerationReport]? {
    for warning in planned.warnings { note("warning: \(warning)") }
    guard prompt != nil else {
      guard !planned.parts.contains(where: \.decidesWhileRunning) else {
        throw ValidationError("Some of these methods decide while running; --prompt makes a picture and shows what they did.")
      }
      return nil
    }
    let model = try LoadedModel(folder: folder)
    let companions = try ImagePipeline.companions(of: request, like: model)
    let result = try await Interruption.ending { [request] in try ImagePipeline(model, companions: companions).generate(request) }
    for warning in result.warnings where !planned.warnings.contains(warning) { note("warning: \(warning)") }
    return result.accelerations
  }
}
