import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Whole runs of Stable Diffusion folders against diffusers (`Parity/pipelines.py`): text encoders, U-Net, guidance, solver and codec.
@Suite struct PublishedPipelineTests {
  /// The largest difference in standard deviations of `expected`.
  private func gap(_ actual: Tensor, _ expected: Tensor) throws -> Double {
    #expect(actual.shape == expected.shape)
    let spread = try withTensorErrors { (expected - expected.mean()).square().mean().sqrt() }
    return try withTensorErrors { ((actual - expected).abs().max() / spread).to(.float64) }.item()
  }

  @Test(
    "trajectory and picture are those of the reference",
    arguments: [
      "sd", "sdxl", "lcm", "dit", "pixart-alpha", "pixart-sigma", "sd3", "sd3-clip", "flux-dev", "flux-schnell", "sana", "sana-gemma",
    ])
  func trajectory(_ name: String) throws {
    let file = try Goldens.file(name)
    let model = try LoadedModel(folder: "\(Goldens.root)/\(name)")
    let request = try Goldens.request(file)
    let steps = try #require(request.steps)
    #expect(file.names.count { $0.hasPrefix("step_") } == steps)
    let result = try ImagePipeline(model).generate(request)
    let states = Dictionary(uniqueKeysWithValues: result.trajectory)
    for step in 0..<steps {
      let key = String(format: "step_%03d", step)
      #expect(try gap(#require(states[key]), file.tensor(key)) <= 1e-3, "\(key)")
    }
    #expect(try gap(#require(states["final"]), file.tensor("final")) <= 1e-3)
    // An outline suffices for what is checked before weights are read.
    let outline = try LoadedModel.outline(folder: "\(Goldens.root)/\(name)")
    #expect(try ImagePipeline(outline).estimate(Goldens.request(file)).stateShape == states["final"]?.shape)
    for (index, image) in result.images.enumerated() {
      let expected = try withTensorErrors { try file.tensor("picture").select(0, index: index) }
      // The reference clips; so does the PNG.
      let clipped = try withTensorErrors { image.pixels.clamp(min: -1, max: 1) }
      #expect(try gap(clipped, expected) <= 1e-3)
    }
    // Tiny networks are asked for a size they were not made for.
    let warnings = result.warnings.filter { !$0.contains("trained on") }
    #expect(result.evaluations == steps && warnings.isEmpty, "\(warnings)")
  }

  @Test func whatTheModelSuggests() throws {
    let model = try LoadedModel(folder: Goldens.root + "/sd")
    #expect(model.defaults.guidanceScale == 7.5 && model.defaults.steps == 50 && model.defaults.solver == "ddim")
    #expect(model.pixelsPerSample == 2 && model.codec != nil && model.classCount == nil)
    var request = GenerationRequest(prompts: ["mars"], seeds: [1])
    (request.width, request.height, request.steps) = (24, 16, 2)
    let image = try #require(try ImagePipeline(model).generate(request).images.first)
    #expect(image.pixels.shape == [3, 16, 24])
    request.width = 23
    #expect(throws: GenerationError.self) { try ImagePipeline(model).generate(request) }
  }

  @Test("prompts that were encoded elsewhere give the same picture", arguments: ["sd", "sdxl"])
  func givenEmbeddings(_ name: String) throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/\(name)")
    var warnings: [String] = []
    let frame = ConditioningFrame(width: 16, height: 16)
    func encoded(_ prompt: String, _ side: GuidanceSide) throws -> Conditioning {
      try withInference {
        try withTensorErrors { try model.conditioner.condition([prompt], side: side, frame: frame, warnings: &warnings) }
      }
    }
    var request = GenerationRequest(prompts: ["mars"], seeds: [3])
    request.steps = 3
    let expected = try #require(try ImagePipeline(model).generate(request).images.first).pixels
    let (positive, negative) = (try encoded("mars", .positive), try encoded("", .negative))
    (request.given.promptEmbeds, request.given.negativePromptEmbeds) = (positive.sequence, negative.sequence)
    (request.given.pooledPromptEmbeds, request.given.negativePooledPromptEmbeds) = (positive.pooled, negative.pooled)
    #expect(try #require(try ImagePipeline(model).generate(request).images.first).pixels.hasBits(of: expected))
  }

  @Test func summariesOfPromptsAreChecked() throws {
    let plain = try LoadedModel(folder: Goldens.root + "/sd")
    var request = GenerationRequest(prompts: ["mars"], seeds: [3])
    request.given.promptEmbeds = .zeros([1, 20, 12])
    request.given.negativePromptEmbeds = .zeros([1, 20, 12])
    request.given.pooledPromptEmbeds = .zeros([1, 12])
    #expect(throws: GenerationError.self) { try ImagePipeline(plain).generate(request) }
    let large = try LoadedModel(folder: Goldens.root + "/sdxl")
    request.given.pooledPromptEmbeds = nil
    (request.given.promptEmbeds, request.given.negativePromptEmbeds) = (.zeros([1, 20, 20]), .zeros([1, 20, 20]))
    #expect(throws: GenerationError.self) { try ImagePipeline(large).generate(request) }
  }

  @Test func longPromptsAreReported() throws {
    let model = try LoadedModel(folder: Goldens.root + "/sd")
    var request = GenerationRequest(prompts: [Array(repeating: "astronaut", count: 30).joined(separator: " ")], seeds: [1])
    request.steps = 1
    let warnings = try ImagePipeline(model).generate(request).warnings
    #expect(warnings.contains { $0.contains("longer than 20 tokens") && $0.contains("astronaut") }, "\(warnings)")
  }

  @Test func schedulersThatAreNotThereYetAreNamed() throws {
    let copy = try TemporaryFolder()
    let folder = copy.path + "/model"
    try FileManager.default.copyItem(atPath: Goldens.root + "/sd", toPath: folder)
    let path = folder + "/scheduler/scheduler_config.json"
    let text = try String(contentsOfFile: path, encoding: .utf8).replacing("DDIMScheduler", with: "UnheardOfScheduler")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    var request = GenerationRequest(prompts: ["mars"], seeds: [1])
    request.steps = 2
    let result = try ImagePipeline(LoadedModel(folder: folder)).generate(request)
    #expect(result.warnings.contains { $0.contains("UnheardOfScheduler") && $0.contains("dpm++-2m") })
    #expect(result.images.first?.settings.solver == "dpm++-2m")
  }

  @Test("components that do not fit the pipeline are errors that name them", arguments: ["text_encoder", "vae", "unet", "tokenizer"])
  func misfits(_ part: String) throws {
    let copy = try TemporaryFolder()
    let folder = copy.path + "/model"
    try FileManager.default.copyItem(atPath: Goldens.root + "/sd", toPath: folder)
    try FileManager.default.removeItem(atPath: "\(folder)/\(part)")
    func message() throws -> String {
      let error = #expect(throws: (any Error).self) { try LoadedModel(folder: folder) }
      return "\(try #require(error))"
    }
    #expect(try message().contains(part))
    guard part != "tokenizer" else { return }
    try FileManager.default.copyItem(atPath: "\(Goldens.root)/sd/\(part == "vae" ? "unet" : "vae")", toPath: "\(folder)/\(part)")
    #expect(try message().contains(part))
  }
}
