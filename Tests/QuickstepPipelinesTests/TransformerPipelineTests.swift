import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// What is particular to pipelines on transformers; their runs are compared in `PublishedPipelineTests`.
@Suite struct TransformerPipelineTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path

  private func model(_ name: String) throws -> LoadedModel { try LoadedModel(folder: "\(Self.root)/\(name)") }

  private func request(_ prompt: String, _ change: (inout GenerationRequest) -> Void = { _ in }) -> GenerationRequest {
    var request = GenerationRequest(prompts: [prompt], seeds: [1])
    (request.width, request.height, request.steps) = (16, 16, 2)
    change(&request)
    return request
  }

  private func message(_ name: String, _ request: GenerationRequest) throws -> String {
    let model = try model(name)
    let error = #expect(throws: GenerationError.self) { try ImagePipeline(model).generate(request) }
    return try #require(error).description
  }

  @Test func classesHaveNames() throws {
    let model = try model("dit")
    let byNumber = try ImagePipeline(model).generate(request("207")).images[0].pixels
    let byName = try ImagePipeline(model).generate(request(" golden retriever ")).images[0].pixels
    #expect(try byNumber.hasBits(of: byName))
    #expect(model.classCount == 1000 && model.defaults.guidanceScale == 4 && model.defaults.steps == 50)
    #expect(try message("dit", request("silver retriever")).contains("0…999"))
    #expect(try message("dit", request("1000")).contains("0…999"))
  }

  @Test func sanaNeedsEncodedPrompts() throws {
    let text = try message("sana", request("a fox"))
    #expect(text.contains("prompt_embeds") && text.contains("--latents") && text.contains("[B, L, 10]"))
    let wrong = request("a fox") {
      ($0.given.promptEmbeds, $0.given.negativePromptEmbeds) = (.zeros([1, 7, 10]), .zeros([1, 7, 10]))
      $0.given.promptMask = .ones([1, 6])
    }
    #expect(try message("sana", wrong).contains("'prompt_attention_mask' is [1, 6]; this request needs [1, 7]"))
    let orphan = request("a fox") { $0.given.promptMask = .ones([1, 6]) }
    #expect(try message("sana", orphan).contains("without 'prompt_embeds'"))
  }

  @Test("Sana's instruction stands before what is asked for, and not before what is steered away from")
  func sanaInstruction() throws {
    let model = try model("sana-gemma")
    var warnings: [String] = []
    func encoded(_ prompts: [String], _ side: GuidanceSide) throws -> (sequence: Tensor, mask: [Bool]) {
      let frame = ConditioningFrame(width: 16, height: 16)
      let condition = try withInference {
        try withTensorErrors { try model.conditioner.condition(prompts, side: side, frame: frame, warnings: &warnings) }
      }
      let (sequence, mask) = (try #require(condition.sequence), try #require(condition.mask))
      #expect(sequence.shape == [prompts.count, 300, 10] && mask.shape == [prompts.count, 300] && mask.dtype == .bool)
      return (sequence, try withTensorErrors { mask.to(.int64) }.scalars(Int64.self).map { $0 != 0 })
    }
    let (asked, askedMask) = try encoded(["mars"], .positive)
    let (avoided, avoidedMask) = try encoded(["mars"], .negative)
    // The beginning and the last token of the instruction, and the beginning alone.
    let count = askedMask.count { $0 }
    #expect(askedMask.prefix(count).allSatisfy(\.self) && avoidedMask.count { $0 } <= count)
    func first(_ tensor: Tensor) throws -> Tensor { try withTensorErrors { tensor.narrow(1, start: 0, length: 1) } }
    #expect(try first(asked).largestDifference(from: first(avoided)) < 1e-5)
    #expect(try asked.largestDifference(from: avoided) > 0.1)
    // Upper case and white space around do not count; a longer neighbour in the batch neither.
    let (both, _) = try encoded(["  MARS\n", "a photo of the astronaut riding a horse"], .positive)
    #expect(try withTensorErrors { both.narrow(0, start: 0, length: 1) }.largestDifference(from: asked) < 1e-5)
    let (empty, emptyMask) = try encoded([""], .negative)
    #expect(emptyMask.count { $0 } == 1 && warnings.isEmpty)
    #expect(try withTensorErrors { empty.narrow(1, start: 1, length: 299).abs().max() }.item() == 0)
  }

  @Test func sanaEncoderThatDoesNotFit() throws {
    let copy = try TemporaryFolder()
    let folder = copy.path + "/model"
    try FileManager.default.copyItem(atPath: Self.root + "/sana-gemma", toPath: folder)
    try FileManager.default.removeItem(atPath: folder + "/text_encoder")
    func message() throws -> String {
      let error = #expect(throws: (any Error).self) { try LoadedModel(folder: folder) }
      return "\(try #require(error))"
    }
    #expect(try message().contains("text_encoder"))
    let other = Self.root + "/../../QuickstepModelsTests/Fixtures/checkpoints/gemma-1"
    try FileManager.default.copyItem(atPath: other, toPath: folder + "/text_encoder")
    // Its vocabulary is too small as well.
    #expect(try message().contains("500 tokens"))
    try FileManager.default.removeItem(atPath: folder + "/text_encoder")
    try FileManager.default.copyItem(atPath: Self.root + "/pixart-alpha/text_encoder", toPath: folder + "/text_encoder")
    #expect(try message().contains("T5EncoderModel"))
  }

  @Test func masksAreRefusedWhereTheyHaveNoEffect() throws {
    let given = request("a fox") {
      $0.given.promptEmbeds = .zeros([1, 30, 30])
      $0.given.negativePromptEmbeds = .zeros([1, 30, 30])
      $0.given.promptMask = .ones([1, 30])
    }
    #expect(try message("sd3", given).contains("no mask"))
  }

  @Test func guidanceThatIsToldNeedsNoSecondBranch() throws {
    let dev = try model("flux-dev")
    let result = try ImagePipeline(dev).generate(request("mars") { $0.negative = "trending" })
    let isTold = result.warnings.contains { $0.contains("no second branch") }
    #expect(result.evaluations == 2 && isTold)
    #expect(result.images.first?.settings.guidanceScale == 3.5)
    let other = try ImagePipeline(dev).generate(request("mars") { $0.guidanceScale = 1.5 })
    let (first, second) = (try #require(result.images.first).pixels, try #require(other.images.first).pixels)
    #expect(try !first.hasBits(of: second))
    let schnell = try model("flux-schnell")
    let plain = try ImagePipeline(schnell).generate(request("mars"))
    #expect(plain.images.first?.settings.guidanceScale == 1)
    let warned = try ImagePipeline(schnell).generate(request("mars") { $0.guidanceScale = 3 })
    let isWarned = warned.warnings.contains { $0.contains("not guided") }
    #expect(isWarned)
  }

  @Test(
    "long prompts are reported with the length of their encoder",
    arguments: [("pixart-alpha", 120), ("sd3", 256), ("flux-dev", 512), ("sana-gemma", 300)])
  func longPrompts(_ name: String, _ length: Int) throws {
    let prompt = Array(repeating: "astronaut", count: 600).joined(separator: " ")
    let warnings = try ImagePipeline(model(name)).generate(
      request(prompt) { ($0.steps, $0.usesTrainedSizes) = (1, name != "pixart-alpha") }
    ).warnings
    #expect(warnings.contains { $0.contains("longer than \(length) tokens") && $0.contains("astronaut") }, "\(warnings)")
  }

  @Test func shiftsFollowTheSizeWhereTheFileSaysSo() throws {
    let dynamic = try model("flux-dev").scheduler
    // 256 tokens have the base shift, 4096 the greatest.
    for (tokens, logarithm) in [(256, 0.5), (4096, 1.15)] {
      let schedule = try #require(try dynamic.schedule(tokens: tokens) as? FlowSchedule)
      #expect(abs(schedule.shift - exp(logarithm)) < 1e-12 && schedule.isDynamic)
    }
    #expect(throws: ScheduleError.self) { try dynamic.schedule(tokens: 0) }
    let fixed = try #require(try model("sd3").scheduler.schedule(tokens: 256) as? FlowSchedule)
    #expect(fixed.shift == 3)
  }

  /// A copy of a folder with another scheduler file.
  private func scheduler(_ className: String, _ members: [String: JSONValue]) throws -> SchedulerConfiguration {
    let folder = try TemporaryFolder()
    let all = members.merging(["_class_name": .string(className)]) { first, _ in first }
    try folder.write(JSONValue.object(all).text, to: "scheduler_config.json")
    return try SchedulerConfiguration(path: folder.path + "/scheduler_config.json")
  }

  @Test func theFileConfiguresTheSolver() throws {
    let heun = try scheduler(
      "DPMSolverMultistepScheduler",
      ["solver_type": .string("heun"), "euler_at_final": .bool(true), "final_sigmas_type": .string("sigma_min")])
    #expect(heun.solver == "dpm++-2m" && heun.spacing == "linspace" && heun.warnings.isEmpty)
    #expect(heun.solverParameters(for: "dpm++-2m") == ["variant": "taylor", "lower-order-final": "true", "euler-at-final": "true"])
    #expect(heun.solverParameters(for: "ddim").isEmpty)
    #expect(heun.spacingParameters(for: "dpm++-2m") == ["skip-last": "true", "round": "true", "final": "smallest"])
    let karras = try scheduler("EulerDiscreteScheduler", ["use_karras_sigmas": .bool(true)])
    #expect(karras.solver == "euler" && karras.spacing == "karras" && karras.spacingParameters.isEmpty)
    let flow = try scheduler(
      "DPMSolverMultistepScheduler",
      ["use_flow_sigmas": .bool(true), "flow_shift": .number(3), "prediction_type": .string("flow_prediction")])
    let schedule = try #require(flow.schedule as? FlowSchedule)
    #expect(schedule.largestTime == 0.999 && schedule.tellsWholeTimesteps && flow.spacing == "trailing" && flow.parametrisation == .flow)
    #expect(try schedule.level(at: 998.7).timestep == 998)
  }

  /// Class, settings, and what stands for them: a solver with parameters.
  @Test func exponentialClassesHaveSolvers() throws {
    let cases: [(String, [String: JSONValue], String, [String: String])] = [
      ("DPMSolverMultistepScheduler", ["solver_order": .integer(1)], "ddim", [:]),
      ("DPMSolverMultistepScheduler", ["solver_order": .integer(1), "algorithm_type": .string("sde-dpmsolver++")], "ddim", ["eta": "1"]),
      (
        "DPMSolverMultistepScheduler", ["solver_order": .integer(3), "lower_order_final": .bool(false)], "dpm++-3m",
        ["variant": "midpoint", "lower-order-final": "false", "euler-at-final": "false"]
      ),
      (
        "DPMSolverMultistepScheduler", ["algorithm_type": .string("sde-dpmsolver++"), "solver_type": .string("heun")], "sde-dpm++",
        ["order": "2", "variant": "taylor", "lower-order-final": "true", "euler-at-final": "false"]
      ),
      (
        "DPMSolverMultistepScheduler",
        ["solver_order": .integer(3), "algorithm_type": .string("dpmsolver"), "final_sigmas_type": .string("sigma_min")], "dpm-multistep",
        ["order": "3", "variant": "midpoint", "lower-order-final": "true", "euler-at-final": "false"]
      ),
      (
        "DPMSolverMultistepScheduler", ["algorithm_type": .string("sde-dpmsolver")], "dpm-multistep",
        ["order": "2", "eta": "1", "variant": "midpoint", "lower-order-final": "true", "euler-at-final": "false"]
      ),
      ("DPMSolverSinglestepScheduler", [:], "dpm++-2s", ["variant": "midpoint", "stages": "grid", "blocks": "lowered"]),
      (
        "DPMSolverSinglestepScheduler",
        ["solver_order": .integer(3), "algorithm_type": .string("dpmsolver"), "final_sigmas_type": .string("sigma_min")], "dpm-singlestep",
        ["order": "3", "variant": "midpoint", "stages": "grid", "blocks": "fixed"]
      ),
      (
        "UniPCMultistepScheduler",
        ["solver_order": .integer(3), "solver_type": .string("bh1"), "disable_corrector": .array([.integer(0)])],
        "unipc", ["order": "3", "variant": "bh1", "prediction": "denoised", "lower-order-final": "true", "disable-corrector": "[0]"]
      ),
      (
        "UniPCMultistepScheduler", ["predict_x0": .bool(false), "lower_order_final": .bool(false)], "unipc",
        ["order": "2", "variant": "bh2", "prediction": "epsilon", "lower-order-final": "false", "disable-corrector": "[]"]
      ),
      ("DEISMultistepScheduler", ["solver_order": .integer(3)], "deis", ["order": "3", "lower-order-final": "true"]),
    ]
    for (className, members, solver, parameters) in cases {
      let read = try scheduler(className, members)
      #expect(read.solver == solver && read.solverParameters(for: solver) == parameters, "\(className) \(members)")
      #expect(read.warnings.isEmpty && read.missingSolver == nil)
      _ = try AllSolvers.make(solver, parameters)
    }
    let unipc = try scheduler("UniPCMultistepScheduler", ["use_flow_sigmas": .bool(true), "flow_shift": .number(3)])
    #expect(unipc.spacing == "linspace" && unipc.spacingParameters == ["skip-last": "true"])
    let grid = try AllGrids.make(unipc.spacing, unipc.spacingParameters).grid(schedule: unipc.schedule, steps: 4)
    #expect(abs(grid.levels[0].sigma - (1 - 1e-6)) < 1e-12 && grid.levels[0].timestep == 999 && grid.levels[4].sigma == 0)
    let karras = try scheduler("UniPCMultistepScheduler", ["use_karras_sigmas": .bool(true), "sigma_max": .number(10)])
    #expect(karras.spacingParameters == ["timestep": "round", "sigma-max": "10.0"])
    let deis = try scheduler("DEISMultistepScheduler", [:])
    #expect(deis.spacingParameters(for: "deis") == ["skip-last": "true", "round": "true", "final": "smallest"])
  }

  @Test func settingsWithoutCounterpartAreTold() throws {
    let cases: [(String, [String: JSONValue], String)] = [
      (
        "DPMSolverMultistepScheduler", ["solver_order": .integer(3), "algorithm_type": .string("sde-dpmsolver++")],
        "third-order step with noise"
      ),
      (
        "DPMSolverSinglestepScheduler",
        ["algorithm_type": .string("sde-dpmsolver++"), "solver_order": .integer(3), "solver_type": .string("heun")],
        "third-order step with noise"
      ),
      ("UniPCMultistepScheduler", ["solver_p": .object([:])], "solver_p"),
      ("UniPCMultistepScheduler", ["use_flow_sigmas": .bool(true), "use_karras_sigmas": .bool(true)], "use_karras_sigmas"),
      ("DDIMScheduler", ["thresholding": .bool(true)], "thresholding"),
      ("DPMSolverMultistepScheduler", ["lambda_min_clipped": .number(-5.1)], "lambda_min_clipped"),
      ("FlowMatchEulerDiscreteScheduler", ["use_karras_sigmas": .bool(true)], "use_karras_sigmas"),
      ("DDIMScheduler", ["clip_sample": .bool(true)], "clip_sample"),
    ]
    for (className, members, key) in cases {
      let warnings = try scheduler(className, members).warnings
      #expect(warnings.count == 1 && warnings[0].contains(key), "\(warnings)")
    }
    #expect(try scheduler("DPMSolverMultistepScheduler", ["lambda_min_clipped": .string("-Infinity")]).warnings.isEmpty)
  }

  @Test("impossible schedules are errors that name the key")
  func damage() throws {
    let cases: [(String, [String: JSONValue])] = [
      ("FlowMatchEulerDiscreteScheduler", ["use_dynamic_shifting": .bool(true), "base_image_seq_len": .integer(0)]),
      ("FlowMatchEulerDiscreteScheduler", ["use_dynamic_shifting": .bool(true), "max_image_seq_len": .integer(256)]),
      ("FlowMatchEulerDiscreteScheduler", ["use_dynamic_shifting": .bool(true), "time_shift_type": .string("cubic")]),
      ("FlowMatchEulerDiscreteScheduler", ["use_dynamic_shifting": .string("yes")]),
      ("DPMSolverMultistepScheduler", ["use_flow_sigmas": .bool(true), "flow_shift": .integer(0)]),
      ("DPMSolverMultistepScheduler", ["solver_order": .integer(9)]),
      ("DPMSolverMultistepScheduler", ["algorithm_type": .string("dpm")]),
      ("UniPCMultistepScheduler", ["disable_corrector": .string("all")]),
      ("UniPCMultistepScheduler", ["disable_corrector": .array([.number(-1)])]),
      ("DPMSolverMultistepScheduler", ["euler_at_final": .integer(1)]),
    ]
    for (className, members) in cases { #expect(throws: (any Error).self, "\(members)") { try scheduler(className, members) } }
    // A shift so great that the smallest time is beyond the largest one.
    let extreme = try scheduler("DPMSolverMultistepScheduler", ["use_flow_sigmas": .bool(true), "flow_shift": .number(1e12)])
    #expect(extreme.schedule.timeRange.lowerBound <= extreme.schedule.timeRange.upperBound)
  }

  @Test("components that do not fit are errors that name them")
  func misfits() throws {
    let copy = try TemporaryFolder()
    let folder = copy.path + "/model"
    try FileManager.default.copyItem(atPath: Self.root + "/pixart-alpha", toPath: folder)
    func message() throws -> String {
      let error = #expect(throws: (any Error).self) { try LoadedModel(folder: folder) }
      return "\(try #require(error))"
    }
    // A vocabulary larger than the encoder's table.
    try FileManager.default.removeItem(atPath: folder + "/tokenizer")
    let larger = Self.root + "/../../QuickstepTokenizersTests/Fixtures/qwen"
    try FileManager.default.copyItem(atPath: larger, toPath: folder + "/tokenizer")
    #expect(try message().contains("400 tokens"))
    try FileManager.default.removeItem(atPath: folder + "/tokenizer")
    #expect(try message().contains("tokenizer"))
    try FileManager.default.removeItem(atPath: folder + "/transformer")
    try FileManager.default.copyItem(atPath: Self.root + "/sd3/transformer", toPath: folder + "/transformer")
    #expect(try message().contains("SD3Transformer"))
  }
}
