import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// Plans that are learned from a model's own runs.
@Suite struct RouterTaskTests {
  private static let steps = 7

  private static func plan(_ model: String, penalty: Double = 0, _ changes: [String: JSONValue?] = [:]) throws -> TrainingPlan {
    let router = JSONValue.object([
      "model": .string(model), "steps": .integer(steps), "solver": .string("dpm++-2m"), "guidance_scale": .number(2), "groups": .integer(3),
      "pictures": .integer(2), "penalty": .number(penalty), "threshold": .number(0.5),
      "prompts": .array([.string("red fox"), .string("apple"), .string("fox")]),
    ])
    let own: [String: JSONValue?] = [
      "task": .string("router"), "objective": nil, "condition_dropout": .number(0), "batch": .integer(2), "router": router,
      "steps": .integer(80), "averaging_decay": .number(0), "optimiser.weight_decay": .number(0), "optimiser.learning_rate": .number(0.1),
      "optimiser.clip": .number(0), "optimiser.warmup": .integer(0),
    ]
    return try QuickstepTrainingTests.plan(own, then: changes)
  }

  private final class Losses { var values: [Double] = [] }

  /// Trains and gives the plan.
  private func learned(_ model: TemporaryFolder, penalty: Double) throws -> (
    plan: SitePlan, path: String, losses: [Double], place: TemporaryFolder
  ) {
    let place = try TemporaryFolder()
    let trainer = try Trainer(Self.plan(model.path, penalty: penalty), folder: place.path, context: TrainingContext())
    let losses = Losses()
    #expect(try trainer.run(checkpointSeconds: 1e9, reportSteps: 20, report: { losses.values.append($0.loss) }))
    try trainer.export(to: place.path + "/router")
    let path = place.path + "/router/plan.json"
    return (try SitePlan(source: path), path, losses.values, place)
  }

  @Test("a price on modules makes the plan cheaper, no price none, and the plan runs")
  func prices() throws {
    let model = try FeedbackTaskTests.model()
    let weights = try Data(contentsOf: URL(fileURLWithPath: model.path + "/transformer/diffusion_pytorch_model.safetensors"))
    let (free, dear) = (try learned(model, penalty: 0), try learned(model, penalty: 1))
    // Nine modules in seven evaluations, of which three may reuse.
    for plan in [free.plan, dear.plan] {
      #expect(plan.evaluations == Self.steps && plan.actions.count == 9)
      for list in plan.actions.values { #expect(list.enumerated().allSatisfy { $0 % 2 == 1 || $1 == .compute }) }
    }
    #expect(dear.plan.computedShare == 4.0 / 7.0)
    // What is computed is right by itself, so that without a price nothing speaks for the old values but their noise.
    #expect(free.plan.computedShare > 0.9)
    #expect(try #require(free.losses.last) < 0.5 * #require(free.losses.first), "\(free.losses)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: model.path + "/transformer/diffusion_pytorch_model.safetensors")) == weights)

    var request = GenerationRequest(prompts: ["red fox"], seeds: [5])
    (request.solver, request.steps, request.guidanceScale) = ("dpm++-2m", Self.steps, 2)
    request.accelerations = [MethodChoice("plan", parameters: ["file": dear.path])]
    let result = try ImagePipeline(LoadedModel(folder: model.path)).generate(request)
    #expect(result.accelerations[0].saved == 27 && result.accelerations[0].computed == 36)
  }

  @Test("gradients reach the scores of the evaluation that was drawn, and nothing else is trained")
  func gradients() throws {
    let model = try FeedbackTaskTests.model()
    let task = try RouterTask(Self.plan(model.path, penalty: 0.1), context: TrainingContext())
    #expect(task.parameters.names == ["router.scores"])
    let scores = try #require(task.parameters["router.scores"])
    #expect(scores.shape == [3, 9])
    scores.setRequiresGradient(true)
    try withTensorErrors { try task.loss(indices: [1], random: StepRandom(seed: 1, step: 3)).backward() }
    let sizes = try #require(scores.gradient).abs().amin([1]).scalars(Float.self)
    #expect(sizes.count { $0 > 0 } == 1 && sizes.count { $0 == 0 } == 2, "\(sizes)")
  }

  @Test("a run goes on with its model at another place, and with nothing else changed")
  func movedModel() throws {
    let (model, place) = (try FeedbackTaskTests.model(), try TemporaryFolder())
    func trainer(_ model: String, penalty: Double) throws -> Trainer {
      try Trainer(Self.plan(model, penalty: penalty), folder: place.path + "/run", context: TrainingContext())
    }
    #expect(try !trainer(model.path, penalty: 0.1).run(checkpointSeconds: 1e9, shouldStop: { true }))
    let moved = place.path + "/moved"
    try FileManager.default.moveItem(atPath: model.path, toPath: moved)
    #expect(try trainer(moved, penalty: 0.1).step == 1)
    let error = #expect(throws: PlanError.self) { try trainer(moved, penalty: 0.2) }
    #expect(try #require(error).description.contains("belongs to another plan"))
    withExtendedLifetime((model, place)) {}
  }

  @Test("plans that do not suit are refused")
  func refusals() throws {
    let model = try FeedbackTaskTests.model()
    func refused(_ part: String, _ changes: [String: JSONValue?]) throws {
      let error = #expect(throws: (any Error).self) { try RouterTask(Self.plan(model.path, changes), context: TrainingContext()) }
      #expect("\(try #require(error))".contains(part), "\(error.map { "\($0)" } ?? "")")
    }
    try refused("penalty", ["router.penalty": .number(-1)])
    try refused("threshold", ["router.threshold": .number(2)])
    try refused("'steps'", ["router.steps": .integer(1)])
    try refused("prompts", ["router.prompts": .array([])])
    try refused("needs an entry 'router'", ["router": nil])
    try refused("one each", ["router.solver": .string("heun")])
  }
}
