import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// What a user may get wrong: an error or a warning that says what, before any work is done. Nothing ends the process.
@Suite struct RefusalTests {
  struct Mistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let parts: [String]
    let change: @Sendable (inout GenerationRequest) -> Void
    init(_ name: String, _ parts: [String], _ change: @escaping @Sendable (inout GenerationRequest) -> Void) {
      (testDescription, self.parts, self.change) = (name, parts, change)
    }
  }

  static let mistakes = [
    Mistake("unknown solver", ["'dimm'", "did you mean 'ddim'", "heun"]) { $0.solver = "dimm" },
    Mistake("solver parameter", ["no parameter 'theta'", "eta"]) { $0.solverParameters = ["theta": "1"] },
    Mistake("solver value", ["'eta' is 'much'", "allowed"]) { $0.solverParameters = ["eta": "much"] },
    Mistake("unknown grid", ["'karas'", "karras"]) { $0.spacing = "karas" },
    Mistake("grid parameter", ["no parameter 'sigma'"]) { $0.spacingParameters = ["sigma": "1"] },
    Mistake("grid value", ["'rho' is '0'", "1.0…100.0"]) { ($0.spacing, $0.spacingParameters) = ("karras", ["rho": "0"]) },
    Mistake("no steps", ["0 steps", "1 and above"]) { $0.steps = 0 },
    Mistake("negative steps", ["-3 steps"]) { $0.steps = -3 },
    Mistake("1001 steps", ["1001 steps", "1…1000"]) { $0.steps = 1001 },
    Mistake("endless steps", ["9223372036854775807"]) { $0.steps = .max },
    Mistake("unknown style", ["'gothic'", "flat, mono"]) { $0.style = "gothic" },
    Mistake("unknown correction", ["'cliping'", "clip, "]) { $0.corrections = ["clip", "cliping"] },
    Mistake("correction value", ["'range' is '-1'"]) { $0.corrections = [MethodChoice("clip", parameters: ["range": "-1"])] },
    Mistake("7x7", ["7x7", "multiples of 4"]) { ($0.width, $0.height) = (7, 7) },
    Mistake("100000x100000", ["100000x100000", "4096"]) { ($0.width, $0.height) = (100_000, 100_000) },
    Mistake("no width", ["0x8"]) { $0.width = 0 },
    Mistake("negative height", ["8x-8"]) { $0.height = -8 },
    Mistake("greatest width", ["9223372036854775804x8"]) { $0.width = .max - 3 },
    Mistake("no prompts", ["no prompt"]) { ($0.prompts, $0.seeds) = ([], []) },
    Mistake("too few seeds", ["2 prompts and 1 seeds"]) { $0.prompts = ["red", "fox"] },
    Mistake("too many seeds", ["1 prompts and 2 seeds"]) { $0.seeds = [1, 2] },
    Mistake("endless prompt", ["1000000 bytes", "65536"]) { $0.prompts = [String(repeating: "fox ", count: 250_000)] },
    Mistake("endless negative prompt", ["1000000 bytes", "65536"]) { $0.negative = String(repeating: "fox ", count: 250_000) },
    Mistake("no batch", ["batch is 0"]) { $0.batch = 0 },
    Mistake("guidance that is no number", ["nan"]) { $0.guidanceScale = .nan },
    Mistake("endless guidance", ["inf"]) { $0.guidanceScale = .infinity },
    Mistake("interval", ["interval", "0…1"]) { $0.guidanceInterval = -0.5...0.5 },
    Mistake("interval beyond the end", ["interval", "0…1"]) { $0.guidanceInterval = 0...1.5 },
  ]

  @Test("a request that cannot be carried out is refused with the reason", arguments: mistakes)
  func refused(_ mistake: Mistake) throws {
    let model = try TinyFolder().load()
    let calls = StepList()
    let error = #expect(throws: (any Error).self) {
      try model.generate(
        request {
          mistake.change(&$0)
          $0.progress = { calls.append($0.step) }
        })
    }
    let message = "\(try #require(error))"
    for part in mistake.parts { #expect(message.contains(part), "\(message)") }
    #expect(calls.values == [], "refused before any work")
  }

  @Test("a flow model, which has no trained number of steps, has a limit all the same", arguments: [0, 100_000_000, .max])
  func endlessFlow(_ steps: Int) throws {
    let model = try TinyFolder(.unet).load()
    for spacing in ["trailing", "linspace", "karras"] {
      #expect(throws: GridError.self) { try model.generate(request { ($0.steps, $0.spacing) = (steps, spacing) }) }
    }
  }

  @Test("a prompt that is no class is refused", arguments: ["4", "-1", "", "fox", "1.0", "99999999999999999999", "0 1", "٣"])
  func classes(_ prompt: String) throws {
    let model = try TinyFolder(.classes).load()
    let error = #expect(throws: GenerationError.self) { try model.generate(request(prompt)) }
    #expect(try #require(error).description.contains("classes 0…3"))
    #expect(throws: GenerationError.self) { try model.generate(request("0") { $0.negative = prompt.isEmpty ? "x" : prompt }) }
    #expect(try model.pictures(request(" 3 ")) == model.pictures(request("3")))
  }

  @Test func aLongPromptNamedInAnErrorIsCutShort() throws {
    let long = String(repeating: "x", count: 1 << 20)
    let error = #expect(throws: GenerationError.self) { try TinyFolder(.classes).load().generate(request(long)) }
    #expect(try #require(error).description.count < 1000)
  }

  @Test func unknownWordsAreWarnings() throws {
    let model = try TinyFolder().load()
    let known = try model.generate(request("Red foxes!"))
    #expect(known.warnings == [], "plurals and capitals are known")
    let result = try model.generate(request("red unicorn, zebra"))
    #expect(result.images.count == 1)
    #expect(result.warnings.count == 1 && result.warnings[0].contains("unicorn, zebra") && result.warnings[0].contains("red unicorn"))
    let twice = try model.generate(GenerationRequest(prompts: ["unicorn", "unicorn", "gnu"], seeds: [1, 2, 3]))
    #expect(twice.warnings.count == 2, "the same warning once: \(twice.warnings)")
  }

  @Test func wordsThatDoNotFitAreWarnings() throws {
    let model = try TinyFolder().load()
    // Six tokens: the start, the style, four words.
    let result = try model.generate(request("red fox green apple cat a"))
    #expect(result.warnings.count == 1 && result.warnings[0].contains("6 tokens") && result.warnings[0].contains("cat, a"))
    #expect(try result.images[0].pixels.elementBytes() == model.pictures(request("red fox green apple"))[0])
  }

  @Test func settingsWithoutEffectAreWarnings() throws {
    let model = try TinyFolder().load()
    #expect(
      try model.generate(request { ($0.negative, $0.guidanceScale) = ("cat", 1) }).warnings.contains { $0.contains("negative prompt") })
    #expect(try model.generate(request { ($0.width, $0.height) = (16, 8) }).warnings.contains { $0.contains("trained on 8x8") })
    let classes = try TinyFolder(.classes).load()
    #expect(try classes.generate(request("1") { $0.style = "flat" }).warnings.contains { $0.contains("style has no effect") })
  }

  @Test func theEmptyPromptIsAPrompt() throws {
    let model = try TinyFolder().load()
    let result = try model.generate(request(""))
    #expect(result.images.count == 1 && result.warnings == [])
    #expect(try model.pictures(request(" \n\t")) == model.pictures(request("")))
  }

  // The texts are built inside: arguments of a test are printed.
  @Test(
    "prompts as long as they may be are cut with a short warning",
    arguments: [("red ", 1 << 14), ("x", 1 << 16), ("\u{301}", 1 << 15), ("-'", 1 << 15), ("\u{0}\u{1}🦊", 10_000), ("fox-", 1 << 14)])
  func hugePrompts(_ part: String, _ count: Int) throws {
    let prompt = String(repeating: part, count: count)
    let model = try TinyFolder().load()
    let result = try model.generate(request(prompt) { $0.steps = 1 })
    #expect(result.images.count == 1)
    for warning in result.warnings { #expect(warning.count < 1000, "\(warning.prefix(80))…") }
  }

  @Test func aNetworkThatGivesNaNIsAnError() throws {
    let tiny = try TinyFolder()
    let path = tiny.path + "/transformer/diffusion_pytorch_model.safetensors"
    let file = try SafetensorsFile(path: path)
    let tensors = try file.names.map { name in
      (
        name: name,
        tensor: name == "proj_out.bias" ? Tensor.full(file.info(name)?.shape ?? [], fillValue: .real(.nan)) : try file.tensor(name).clone()
      )
    }
    try SafetensorsWriter.write(tensors, to: path)
    let error = #expect(throws: SamplingError.self) { try tiny.load().generate(request()) }
    #expect(try #require(error).description.contains("not finite"))
  }
}

/// Folders that are not what they should be.
@Suite struct ModelFolderTests {
  @Test("every file is needed, and named when it is gone, empty or cut", arguments: TinyFolder.Kind.allCases)
  func files(_ kind: TinyFolder.Kind) throws {
    let tiny = try TinyFolder(kind)
    _ = try tiny.load()
    for file in tiny.files {
      let path = URL(fileURLWithPath: tiny.path + "/" + file)
      let content = try Data(contentsOf: path)
      func refused(_ what: String) throws {
        let error = #expect(throws: (any Error).self, "\(file) \(what)") { try tiny.load() }
        let message = "\(try #require(error))"
        // Of missing weights the folder and both possible names are told.
        #expect(message.contains(path.deletingLastPathComponent().lastPathComponent), "\(file) \(what): \(message)")
      }
      try FileManager.default.removeItem(at: path)
      try refused("missing")
      for count in [0, 1, content.count / 2, content.count - 3] {
        try content.prefix(count).write(to: path)
        try refused("cut to \(count)")
      }
      try Data("[]".utf8).write(to: path)
      try refused("of another kind")
      try content.write(to: path)
    }
    _ = try tiny.load()
  }

  @Test(
    "schedules with impossible numbers are errors",
    arguments: [
      ("num_train_timesteps", JSONValue.integer(0)), ("num_train_timesteps", .integer(-5)), ("num_train_timesteps", .number(1e300)),
      ("trained_betas", .number(0.1)), ("trained_betas", .array([.string("x")])), ("rescale_betas_zero_snr", .string("yes")),
      ("num_train_timesteps", .string("1000")), ("num_train_timesteps", .integer(1 << 40)), ("beta_schedule", .string("cubic")),
      ("beta_schedule", .integer(3)), ("prediction_type", .string("noise")), ("steps_offset", .number(-1e300)),
      ("steps_offset", .number(1e300)),
      ("trained_betas", .array([.number(0.1)])), ("trained_betas", .array([])), ("shift", .number(0)), ("shift", .number(-1)),
      ("beta_start", .number(2)),
    ])
  func schedules(_ key: String, _ value: JSONValue) throws {
    let tiny = try TinyFolder()
    let className = key == "shift" ? "FlowMatchEulerDiscreteScheduler" : "DDIMScheduler"
    let more: [String: JSONValue] =
      key.hasPrefix("beta_st") ? ["beta_schedule": .string("linear")] : ["timestep_spacing": .string("leading")]
    let prediction = key == "shift" ? "flow_prediction" : "sample"
    try tiny.writeScheduler(className, prediction: prediction, more: more.merging([key: value]) { $1 })
    #expect(throws: (any Error).self) { try tiny.load().generate(request()) }
  }

  @Test func schedulesAreReadInDiffusersWords() throws {
    let tiny = try TinyFolder()
    try tiny.writeScheduler(
      "PNDMScheduler", prediction: "epsilon",
      more: [
        "beta_schedule": .string("scaled_linear"), "beta_start": .number(0.00085), "beta_end": .number(0.012), "steps_offset": .integer(1),
        "timestep_spacing": .string("leading"),
      ])
    let read = try SchedulerConfiguration(path: tiny.path + "/scheduler/scheduler_config.json")
    #expect(read.parametrisation == .epsilon && read.spacing == "leading" && read.spacingParameters == ["offset": "1"])
    // √β from √0.00085 to √0.012; at timestep 0 it is 0.00085 itself.
    #expect(try abs(read.schedule.level(at: 0).sigma - 0.00085.squareRoot()) < 1e-12)
    try tiny.writeScheduler("FlowMatchEulerDiscreteScheduler", prediction: "flow_prediction", more: ["shift": .number(3)])
    let flow = try SchedulerConfiguration(path: tiny.path + "/scheduler/scheduler_config.json")
    #expect(flow.parametrisation == .flow && (flow.schedule as? FlowSchedule)?.shift == 3)
  }

  @Test func theFingerprintTellsWeightsApart() throws {
    let tiny = try TinyFolder()
    let first = try tiny.load().fingerprint
    #expect(try TinyFolder().load().fingerprint == first)
    let path = tiny.path + "/transformer/diffusion_pytorch_model.safetensors"
    var content = try Data(contentsOf: URL(fileURLWithPath: path))
    content[content.count - 2] ^= 1
    try content.write(to: URL(fileURLWithPath: path))
    #expect(try tiny.load().fingerprint != first)
  }

  @Test func foldersAreDescribedWithoutLoadingThem() throws {
    let tiny = try TinyFolder()
    let entry = ModelEntry(id: "tiny", path: tiny.path)
    #expect(entry.pipeline == "PromptToImagePipeline" && entry.sampleSize == [8, 8] && entry.problem == nil)
    #expect(entry.parts.first { $0.name == "transformer" }?.isSupported == true)
    #expect(entry.parts.first { $0.name == "transformer" }?.className == "PromptTransformer2D")
    let file = try SafetensorsFile(path: tiny.path + "/transformer/diffusion_pytorch_model.safetensors")
    let count = file.names.reduce(0) { $0 + (file.info($1)?.shape.reduce(1, *) ?? 0) }
    #expect(entry.parts.first { $0.name == "transformer" }?.parameters == count && entry.parameters > count)
    #expect(entry.settings["default_steps"] == .integer(4))
    #expect(ModelEntry(id: "none", path: tiny.path + "/nowhere").parts.isEmpty)
    #expect(try ModelLibrary.find(tiny.path) == tiny.path)
    let error = #expect(throws: FormatError.self) { try ModelLibrary.find("no-such-model") }
    #expect(try #require(error).description.contains("no-such-model") && #require(error).description.contains(ModelLibrary.variable))
  }

  @Test func modelsOfOtherProgramsAreRefusedByName() throws {
    let tiny = try TinyFolder()
    try tiny.folder.write("{\"_class_name\": \"KolorsPipeline\"}", to: "model_index.json")
    let pipeline = #expect(throws: FormatError.self) { try tiny.load() }
    #expect(try #require(pipeline).description.contains("KolorsPipeline"))
    let other = try TinyFolder()
    try other.folder.write("{\"_class_name\": \"LTXVideoTransformer3DModel\"}", to: "transformer/config.json")
    let network = #expect(throws: FormatError.self) { try other.load() }
    #expect(try #require(network).description.contains("LTXVideoTransformer3DModel"))
  }
}
