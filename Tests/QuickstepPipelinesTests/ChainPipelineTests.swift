import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Pictures from the states of chains, on tiny models.
@Suite struct ChainPipelineTests {
  private static func chain(_ parameters: [String: String] = [:]) -> MethodChoice {
    MethodChoice(
      "dlg", parameters: ["sigma": "residual", "skip": "2", "start-steps": "2", "warm-up": "1", "burn-in": "1"].merging(parameters) { $1 })
  }

  private static func several(_ prompts: [String], _ change: (inout GenerationRequest) -> Void = { _ in }) -> GenerationRequest {
    var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { UInt64($0) + 5 })
    (request.steps, request.start) = (2, chain())
    change(&request)
    return request
  }

  /// A noise predictor with random weights beside the networks.
  private static func writePredictor(
    _ folder: TinyFolder, channels: Int, to path: String, sigmas: ClosedRange<Double> = 0.1...30
  ) throws {
    let members: [String: JSONValue] = [
      "_class_name": .string("NoiseLevelClassifier"), "in_channels": .integer(channels), "block_out_channels": .array([.integer(4)]),
      "hidden_size": .integer(6), "num_classes": .integer(12), "sigma_min": .number(sigmas.lowerBound),
      "sigma_max": .number(sigmas.upperBound),
    ]
    try folder.folder.write(ConfigurationFile.pretty(.object(members)), to: path + "/config.json")
    let loaded = try Architectures.fresh(
      ConfigurationFile(path: "\(folder.path)/\(path)/config.json"), generator: Generator(seed: 3))
    try SafetensorsWriter.write(loaded.parameters.all, to: "\(folder.path)/\(path)/model.safetensors")
  }

  @Test("every kind of model walks, with every way to take a level", arguments: TinyFolder.Kind.allCases)
  func walks(_ kind: TinyFolder.Kind) throws {
    let folder = try TinyFolder(kind)
    try Self.writePredictor(folder, channels: kind == .classes ? 1 : 3, to: "noise_predictor")
    let model = try folder.load()
    let prompts = kind == .classes ? ["1", "2", "1", "1", "2"] : ["red fox", "cat", "red fox", "red fox", "cat"]
    for sigma in ["argmax", "sample", "mean", "residual"] {
      let result = try model.generate(
        Self.several(prompts) {
          $0.batch = 2
          $0.start = Self.chain(["sigma": sigma])
        })
      #expect(result.images.count == 5)
      for image in result.images { #expect(try image.pixels.isFinite().all().item() == 1) }
      let report = try #require(result.chains)
      let each = sigma == "residual" ? 2 : 1
      #expect(report.chains == 2 && report.pictures == 5)
      #expect(report.burnInEvaluations == 2 + (sigma == "residual" ? 1 : 0) + 2 * each)
      #expect(report.pictureEvaluations == 2 * each + 2)
      // The shorter chain goes beside the longer one to its end.
      #expect(report.totalEvaluations == 2 * (report.burnInEvaluations + 3 * report.pictureEvaluations))
      #expect(report.record.moves == 2 * 3 * 2 && report.pictureCorrelation?.count == 5)
    }
  }

  @Test("pictures come in the order of their prompts and repeat from their settings")
  func repeats() throws {
    let model = try TinyFolder(.classes).load()
    for solver in ["ddim", "heun", "euler-ancestral"] {
      let request = Self.several(["1", "2", "1", "2", "1"]) {
        ($0.solver, $0.guidanceScale) = (solver, 2)
      }
      let result = try model.generate(request)
      for (image, prompt) in zip(result.images, request.prompts) {
        #expect(image.settings.prompt == prompt)
        let again = try model.generate(GenerationRequest(repeating: image.settings))
        #expect(
          try again.images[0].pixels.elementBytes() == image.pixels.elementBytes(), "\(solver) \(image.settings.start?.description ?? "")")
      }
      #expect(Set(result.images.map { try? $0.pixels.elementBytes() }).count == 5)
      #expect(result.images.map(\.settings.seed) == [5, 6, 5, 6, 5])
    }
  }

  @Test("chains side by side are as alone, up to rounding")
  func batches() throws {
    let model = try TinyFolder(.classes).load()
    let prompts = ["1", "2", "1", "2"]
    let (alone, together) = (
      try model.generate(Self.several(prompts)), try model.generate(Self.several(prompts) { $0.batch = 2 })
    )
    for (left, right) in zip(alone.images, together.images) {
      #expect(try (left.pixels - right.pixels).abs().amax().item() < 1e-3)
    }
    #expect(alone.evaluations == 2 * together.evaluations)
    #expect(alone.chains?.totalEvaluations == together.chains?.totalEvaluations)
  }

  @Test("a chain can be cut into several, and the last denoising counts")
  func lengths() throws {
    let model = try TinyFolder(.classes).load()
    let result = try model.generate(
      Self.several(["1", "1", "1", "1", "1"]) { $0.start = Self.chain(["per-chain": "2", "tweedie": "0.01"]) })
    let report = try #require(result.chains)
    #expect(report.chains == 3 && report.pictureEvaluations == 2 * 2 + 2 + 1)
    #expect(result.images.map(\.settings.seed) == [5, 5, 7, 7, 9])
    #expect(try ImagePipeline(model).evaluations(of: Self.several(["1", "1"]) { $0.start = Self.chain(["tweedie": "0.01"]) }) == 7)
    let single = try model.generate(Self.several(["1"]))
    #expect(single.warnings.contains { $0.contains("burn-in") })
  }

  @Test("states with less noise than was ever trained are denoised as well", arguments: ["karras", "exponential", "beta", "kl-optimal"])
  func quietStates(_ grid: String) throws {
    let folder = try TinyFolder(.classes)
    // The least trained σ/α is 0.0064.
    try Self.writePredictor(folder, channels: 1, to: "noise_predictor", sigmas: 0.001...0.004)
    let model = try folder.load()
    let result = try model.generate(
      Self.several(["1", "1"]) {
        $0.start = Self.chain(["sigma": "argmax", "eta": "1e-6", "warm-up-eta": "1e-6"])
        $0.spacing = grid
      })
    #expect(result.images.count == 2)
    for image in result.images { #expect(try image.pixels.isFinite().all().item() == 1) }
  }

  @Test("what cannot be is said before any work is done")
  func refusals() throws {
    let folder = try TinyFolder(.classes)
    let model = try folder.load()
    func message(_ change: (inout GenerationRequest) -> Void) throws -> String {
      var request = Self.several(["1", "1"])
      change(&request)
      let error = #expect(throws: (any Error).self) { try ImagePipeline(model).estimate(request) }
      return "\(try #require(error))"
    }
    #expect(try message { $0.start = Self.chain(["sigma": "argmax"]) }.contains("noise_predictor"))
    #expect(try message { $0.start = Self.chain(["sigma": "argmax", "predictor": "nowhere"]) }.contains("nowhere"))
    #expect(try message { $0.start = Self.chain(["sigma": "argmax", "predictor": folder.path + "/unet"]) }.contains("PromptUNet2D"))
    #expect(try message { $0.start = Self.chain(["predictor": "x"]) }.contains("predictor"))
    #expect(try message { $0.start = Self.chain(["skip": "0"]) }.contains("skip"))
    #expect(try message { $0.start = Self.chain(["max-change": "0.5"]) }.contains("max-change"))
    #expect(try message { $0.start = Self.chain(["sigma": "mean", "residual-steps": "3"]) }.contains("residual-steps"))
    #expect(try message { $0.spacing = "trailing" }.contains("karras"))
    #expect(try message { ($0.spacing, $0.spacingParameters) = ("karras", ["sigma-max": "3"]) }.contains("sigma-max"))
    #expect(try message { ($0.spacing, $0.spacingParameters) = ("karras", ["sigma-min": "0.5"]) }.contains("'sigma-min' may be above"))
    #expect(try message { ($0.spacing, $0.spacingParameters) = ("beta", ["of": "time"]) }.contains("with of=time; use of=noise"))
    #expect(try message { $0.spacing = "BetaSamplingScheduler" }.contains("with of=time; use of=noise"))
    #expect(try message { $0.solver = "dpm-adaptive" }.contains("dpm-adaptive"))
    #expect(try message { $0.guidanceInterval = 0.2...0.8 }.contains("interval"))
    #expect(try message { $0.recordsTrajectory = true }.contains("trajectory"))
    #expect(try message { $0.accelerations = ["fora"] }.contains("acceleration"))
    try Self.writePredictor(folder, channels: 3, to: "noise_predictor")
    #expect(try message { $0.start = Self.chain(["sigma": "argmax"]) }.contains("3 channels"))
  }
}
