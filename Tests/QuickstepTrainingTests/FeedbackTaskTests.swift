import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// Training of inner-loop feedback for a model of a few thousand random parameters.
@Suite struct FeedbackTaskTests {
  /// A model folder: a transformer of three blocks with its text encoder.
  static func model() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    func write(_ name: String, _ members: [String: JSONValue], seed: UInt64) throws {
      let configuration = ConfigurationFile(path: name, members: members)
      let made = try Architectures.fresh(configuration, generator: Generator(seed: seed))
      try ModelLaws.disturb(made.parameters, seed: seed + 10)
      try folder.write(ConfigurationFile.pretty(.object(members)), to: name + "/config.json")
      try SafetensorsWriter.write(made.parameters.all, to: "\(folder.path)/\(name)/\(made.architecture.weightsName).safetensors")
    }
    try write(
      "transformer",
      [
        "_class_name": .string("PromptTransformer2D"), "in_channels": .integer(3), "sample_size": .integer(8), "patch_size": .integer(4),
        "hidden_size": .integer(16), "num_layers": .integer(3), "num_attention_heads": .integer(2), "mlp_ratio": .integer(2),
        "cross_attention_dim": .integer(8),
      ], seed: 1)
    try write(
      "text_encoder",
      [
        "_class_name": .string("PromptEncoder"), "vocab_size": .integer(7), "hidden_size": .integer(8), "num_hidden_layers": .integer(1),
        "num_attention_heads": .integer(2), "max_position_embeddings": .integer(6),
      ], seed: 4)
    let words = ["<pad>", "<unk>", "<start>", "<style:flat>", "red", "fox", "apple"]
    let vocabulary = Dictionary(uniqueKeysWithValues: words.enumerated().map { ($0.element, JSONValue.integer($0.offset)) })
    try folder.write(JSONValue.object(vocabulary).text, to: "tokenizer/vocab.json")
    try folder.write(
      JSONValue.object([
        "_class_name": .string("DDIMScheduler"), "num_train_timesteps": .integer(1000), "beta_schedule": .string("squaredcos_cap_v2"),
        "prediction_type": .string("sample"), "timestep_spacing": .string("trailing"), "clip_sample": .bool(false),
      ]).text, to: "scheduler/scheduler_config.json")
    let pair = JSONValue.array([.string("quickstep"), .string("Part")])
    try folder.write(
      JSONValue.object([
        "_class_name": .string("PromptToImagePipeline"), "transformer": pair, "text_encoder": pair, "styles": .array([.string("flat")]),
        "default_style": .string("flat"),
      ]).text, to: "model_index.json")
    return folder
  }

  private static func feedbackPlan(_ model: String, _ changes: [String: JSONValue?] = [:]) throws -> TrainingPlan {
    let feedback = JSONValue.object([
      "model": .string(model), "first": .integer(1), "last": .integer(2), "steps": .integer(4), "solver": .string("dpm++-2m"),
      "guidance_scale": .number(2), "refinement": .integer(2), "begin": .integer(1), "end": .integer(1), "groups": .integer(3),
      "pictures": .integer(2), "noise_weight": .number(0.1), "noise_bound": .number(1),
      "prompts": .array([.string("red fox"), .string("apple"), .string("fox")]),
    ])
    let own: [String: JSONValue?] = [
      "task": .string("feedback"), "objective": nil, "condition_dropout": .number(0), "batch": .integer(2), "feedback": feedback,
      "optimiser.weight_decay": .number(0), "optimiser.learning_rate": .number(0.01), "optimiser.clip": .number(0),
    ]
    return try QuickstepTrainingTests.plan(own, then: changes)
  }

  private final class Losses { var values: [Double] = [] }

  @Test("the loss falls, the module is used, and the network stays as it is")
  func training() throws {
    let (model, run) = (try Self.model(), try TemporaryFolder())
    let weights = model.path + "/transformer/diffusion_pytorch_model.safetensors"
    let before = try Data(contentsOf: URL(fileURLWithPath: weights))
    let plan = try Self.feedbackPlan(model.path, ["steps": .integer(60)])
    let task = try FeedbackTask(plan, context: TrainingContext())
    // One block and two scales.
    let block = task.parameters.names.filter { $0.hasPrefix("feedback.block.") }
    #expect(task.parameters.names.count == block.count + 2 && block.count > 10)
    let trainer = try Trainer(plan, task: task, folder: run.path, context: TrainingContext())
    let losses = Losses()
    #expect(try trainer.run(checkpointSeconds: 1e9, reportSteps: 6, report: { losses.values.append($0.loss) }))
    let (first, last) = (try #require(losses.values.first), try #require(losses.values.last))
    #expect(last < 0.9 * first, "\(losses.values)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: weights)) == before)

    try trainer.export(to: run.path + "/module")
    let module = try FeedbackModule(path: run.path + "/module")
    let loaded = try LoadedModel(folder: model.path)
    #expect(module.configuration.fingerprint == loaded.fingerprint && module.configuration.blocks == 3)
    var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
    (request.solver, request.steps, request.guidanceScale) = ("dpm++-2m", 4, 2)
    let plain = try ImagePipeline(loaded).generate(request)
    request.accelerations = [MethodChoice("ilf", parameters: ["module": run.path + "/module"])]
    let fed = try ImagePipeline(loaded).generate(request)
    #expect(fed.warnings.allSatisfy { $0.contains("ten and more") } && fed.accelerations[0].additional == (2 + 1) * 2)
    #expect(try fed.images[0].pixels.largestDifference(from: plain.images[0].pixels) > 1e-4)
  }

  @Test("gradients reach the feedback block and the scales alone")
  func gradients() throws {
    let model = try Self.model()
    let task = try FeedbackTask(Self.feedbackPlan(model.path), context: TrainingContext())
    for (_, tensor) in task.parameters.all { tensor.setRequiresGradient(true) }
    func gradients() throws -> [String: Double] {
      try withTensorErrors { try task.loss(indices: [0], random: StepRandom(seed: 1, step: 0)).backward() }
      defer { for (_, tensor) in task.parameters.all { tensor.setGradient(nil) } }
      return try Dictionary(
        uniqueKeysWithValues: task.parameters.all.map { ($0.name, try #require($0.tensor.gradient).abs().amax().item()) })
    }
    // With scales of 0 nothing of the block comes through.
    let atZero = try gradients()
    #expect(atZero.allSatisfy { $0.key.contains(".scale.") == ($0.value > 0) }, "\(atZero)")
    for (name, tensor) in task.parameters.all where name.contains(".scale.") {
      try withTensorErrors { withoutGradients { tensor.detach().copyInPlace(tensor.detach() + 0.1) } }
    }
    let moved = try gradients()
    #expect(moved.values.filter { $0 > 0 }.count > moved.count / 2)
    // The network's parameters are no part of the task and carry no gradients: the loss is the same without them being trained.
    #expect(task.parameters.names.allSatisfy { $0.hasPrefix("feedback.") })
  }

  @Test("an interrupted run gives the module of one that was not")
  func resume() throws {
    let model = try Self.model()
    let plan = try Self.feedbackPlan(model.path)
    func trained(stops: [Int]) throws -> Data? {
      let run = try TemporaryFolder()
      for stop in stops {
        let trainer = try Trainer(plan, folder: run.path, context: TrainingContext())
        _ = try trainer.run(checkpointSeconds: 1e9, shouldStop: { trainer.step == stop })
        try trainer.export(to: run.path + "/module")
      }
      return FileManager.default.contents(atPath: run.path + "/module/feedback.safetensors")
    }
    let whole = try trained(stops: [6])
    let parts = try trained(stops: [2, 6])
    #expect(whole != nil && whole == parts)
  }

  @Test func plansThatDoNotSuitAreRefused() throws {
    let model = try Self.model()
    func refused(_ part: String, _ changes: [String: JSONValue?]) throws {
      let error = #expect(throws: (any Error).self) { try FeedbackTask(Self.feedbackPlan(model.path, changes), context: TrainingContext()) }
      #expect("\(try #require(error))".contains(part), "\(error as Any)")
    }
    try refused("an entry 'feedback'", ["feedback": nil])
    try refused("inner range 1…3", ["feedback.last": .integer(3)])
    try refused("inner range 2…1", ["feedback.first": .integer(2), "feedback.last": .integer(1)])
    try refused("heun", ["feedback.solver": .string("heun")])
    try refused("'begin' (2)", ["feedback.begin": .integer(2), "feedback.end": .integer(2)])
    try refused("refinement", ["feedback.refinement": .integer(1)])
    try refused("trains no components", ["condition_dropout": .number(0.1)])
    try refused("'prompts' is empty", ["feedback.prompts": .array([])])
    try refused("unknown keys", ["feedback.stepz": .integer(1)])
  }
}
