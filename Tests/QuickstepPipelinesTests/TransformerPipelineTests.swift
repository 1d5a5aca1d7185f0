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

  @Test("long prompts are reported with the length of T5", arguments: [("pixart-alpha", 120), ("sd3", 256), ("flux-dev", 512)])
  func longPrompts(_ name: String, _ length: Int) throws {
    let prompt = Array(repeating: "astronaut", count: 600).joined(separator: " ")
    let warnings = try ImagePipeline(model(name)).generate(request(prompt) { $0.steps = 1 }).warnings
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

  @Test func settingsWithoutCounterpartAreTold() throws {
    let cases: [(String, [String: JSONValue], String)] = [
      ("DPMSolverMultistepScheduler", ["solver_order": .integer(3)], "solver_order"),
      ("DPMSolverMultistepScheduler", ["algorithm_type": .string("sde-dpmsolver++")], "algorithm_type"),
      ("DPMSolverMultistepScheduler", ["lambda_min_clipped": .number(-5.1)], "lambda_min_clipped"),
      ("FlowMatchEulerDiscreteScheduler", ["shift_terminal": .number(0.02)], "shift_terminal"),
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
      ("DPMSolverMultistepScheduler", ["solver_order": .integer(9)]), ("DPMSolverMultistepScheduler", ["euler_at_final": .integer(1)]),
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
