import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// The models in `Models/`: that they are whole, and that they draw what they are asked for.
@Suite struct BuiltInModelTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Models").path
  static let emoji = ["emoji", "emoji-small", "emoji-unet"]

  private func files(below folder: String) -> [String] {
    (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).map { folder + "/" + $0 }
  }

  @Test("weights are in half precision and of the size a repository can carry")
  func sizes() throws {
    // Statistics are no weights: half precision would spoil covariances.
    let weights = files(below: Self.root).filter { $0.hasSuffix(".safetensors") && !$0.hasSuffix("/statistics.safetensors") }
    #expect(weights.count >= 10)
    var total = 0
    for path in weights {
      let bytes = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
      #expect(bytes <= 40_000_000, "\(path)")
      total += bytes
      let file = try SafetensorsFile(path: path)
      #expect(file.names.allSatisfy { file.info($0)?.dtype == .float16 }, "\(path)")
    }
    #expect(total <= 100_000_000)
  }

  @Test(
    "every model has its plan and a card",
    arguments: emoji + ["emoji-prompt", "emoji-classifier", "digits", "digit-classifier", "digits-noise", "emoji-noise"])
  func cards(_ name: String) throws {
    for file in ["training.json", "README.md", "loss.png"] {
      #expect(FileManager.default.fileExists(atPath: "\(Self.root)/\(name)/\(file)"))
    }
    #expect(try String(contentsOfFile: "\(Self.root)/\(name)/README.md", encoding: .utf8).contains("quickstep train"))
  }

  /// Mean of each colour channel, 0…1.
  private func colours(_ model: LoadedModel, _ prompt: String) throws -> [Double] {
    var request = GenerationRequest(prompts: [prompt], seeds: [7])
    request.steps = 6
    let pixels = try #require(try ImagePipeline(model).generate(request).images.first).pixels
    #expect(pixels.shape == [3, 64, 64])
    let means = try withTensorErrors { (pixels.clamp(min: -1, max: 1).mean([1, 2]) / 2 + 0.5).to(.float64) }
    return try means.scalars(Double.self)
  }

  @Test("prompts decide what is drawn", arguments: emoji)
  func prompts(_ name: String) throws {
    let model = try LoadedModel(folder: "\(Self.root)/\(name)")
    let (heart, clover) = (try colours(model, "red heart"), try colours(model, "four leaf clover"))
    let (sun, heartAgain) = (try colours(model, "sun"), try colours(model, "red heart"))
    #expect(heart[0] > heart[1] + 0.2 && heart[0] > heart[2] + 0.1, "a red heart is \(heart)")
    #expect(clover[1] > clover[0] + 0.05 && clover[1] > clover[2] + 0.05, "a clover is \(clover)")
    #expect(sun[0] > sun[2] + 0.1 && sun[1] > sun[2] + 0.1, "a sun is \(sun)")
    #expect(heart == heartAgain)
  }

  @Test("a run that multiplies errors says so and names the way out") func amplification() throws {
    let model = try LoadedModel(folder: Self.root + "/digits")
    func warnings(_ solver: String, _ parameters: [String: String] = [:]) throws -> [String] {
      var request = GenerationRequest(prompts: ["7"], seeds: [1])
      (request.solver, request.solverParameters, request.steps) = (solver, parameters, 3)
      return try ImagePipeline(model).generate(request).warnings
    }
    let warning = try #require(try warnings("heun").first { $0.contains("multiplies errors") })
    #expect(warning.contains("heun:frame=flow") && warning.contains("sigma-max"), "\(warning)")
    #expect(try warnings("heun", ["frame": "flow"]).isEmpty)
    #expect(try warnings("dpm++-2m").isEmpty)
  }

  /// PSNR in dB of the digits that a request makes to those of 100 steps of DDIM.
  private func nearness(_ change: (inout GenerationRequest) throws -> Void) throws -> Double {
    let model = try LoadedModel(folder: Self.root + "/digits")
    func pixels(_ change: (inout GenerationRequest) throws -> Void) throws -> Tensor {
      var request = GenerationRequest(prompts: ["3", "7"], seeds: [1, 2])
      request.batch = 2
      try change(&request)
      let images = try ImagePipeline(model).generate(request).images
      return try withTensorErrors { .stack(images.map { $0.pixels.clamp(min: -1, max: 1) }) }
    }
    let exact = try pixels { ($0.solver, $0.steps) = ("ddim", 100) }
    let made = try pixels(change)
    return 10 * log10(4 / max(1e-12, try withTensorErrors { (made - exact).square().mean() }.item()))
  }

  /// Benchmarks/solvers-digits.md tells what each comes to on more pictures.
  @Test("every grid serves a trained model", arguments: AllGrids.all.map { $0.declaration.name })
  func grids(_ name: String) throws {
    let found = try nearness {
      ($0.solver, $0.steps, $0.spacing) = ("dpm++-2m", 20, name)
      if name == "explicit" { $0.spacingParameters = ["timesteps": (0..<20).map { "\(975 - 50 * $0)" }.joined(separator: ",")] }
    }
    // Those two spend their steps where this model's schedule has next to no signal.
    #expect(found > (["beta", "linear-quadratic"].contains(name) ? 12 : 20), "\(found) dB")
  }

  @Test("every solver serves a trained model", arguments: AllSolvers.all.map { $0.declaration.name })
  func solvers(_ name: String) throws {
    // What begins with a difference of evaluations begins where there is signal; those that add noise end elsewhere by design.
    let begins = ["heun", "dpm2", "dpm2-ancestral", "dpm-adaptive"].contains(name)
    let found = try nearness {
      ($0.solver, $0.steps) = (name, 20)
      if begins { ($0.spacing, $0.spacingParameters) = ("karras", ["sigma-max": "40"]) }
      switch name {
      case "pndm": $0.solverParameters = ["averages": "velocity"]
      case "usf": $0.solverParameters = ["decisions": #"{"every":{"order":2,"corrector":{"order":2}}}"#]
      case "olss":
        let runs = GenerationRequest(prompts: ["0", "1", "4", "5"], seeds: [5, 6, 7, 8])
        var calibration = OLSSCalibration(runs, steps: 8)
        calibration.teacherSteps = 24
        ($0.ownSolver, $0.steps) = (try OLSS(calibration.fit(LoadedModel(folder: Self.root + "/digits"))), 8)
        $0.solver = nil
      default: break
      }
    }
    let isNoisy = ["ddpm", "dpm2-ancestral", "euler-ancestral", "sde-dpm++", "dpm++-sde", "lcm", "tcd"].contains(name)
    #expect(found > (isNoisy ? 3 : 24), "\(found) dB")
  }

  @Test(
    "every correction serves a trained model",
    arguments: [MethodChoice("clip"), MethodChoice("dynamic-threshold", parameters: ["max": "1"])])
  func corrections(_ choice: MethodChoice) throws {
    let plain = try nearness { ($0.solver, $0.steps) = ("dpm++-2m", 20) }
    let found = try nearness { ($0.solver, $0.steps, $0.corrections) = ("dpm++-2m", 20, [choice]) }
    // What it is taught with lies in −1…1, so that little is left to be corrected.
    #expect(found > 20 && found != plain, "\(found) dB, \(plain) without")
  }

  @Test("models of one family share their text encoder, so that they can be stitched", arguments: emoji)
  func sharedEncoder(_ name: String) throws {
    func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: Self.root + "/" + path)) }
    #expect(try bytes("\(name)/text_encoder/model.safetensors") == bytes("emoji-prompt/text_encoder/model.safetensors"))
    #expect(try bytes("\(name)/tokenizer/vocab.json") == bytes("emoji-prompt/tokenizer/vocab.json"))
    let backbone = try SafetensorsFile(
      path: "\(Self.root)/\(name)/\(name == "emoji-unet" ? "unet" : "transformer")/diffusion_pytorch_model.safetensors")
    let sketch = try SafetensorsFile(path: Self.root + "/emoji-prompt/sketch/model.safetensors")
    for key in sketch.names { #expect(try backbone.tensor("sketch." + key).hasBits(of: sketch.tensor(key)), "\(key)") }
  }

  @Test func theDefaultModelTakesWords() throws {
    let model = try LoadedModel(folder: Self.root + "/emoji")
    #expect(model.defaults.styles.contains("noto") && model.defaults.style == "fluent-3d" && model.defaults.steps == 20)
    #expect(model.classCount == nil && model.codec == nil)
  }
}
