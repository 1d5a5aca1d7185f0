import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Scales that mean no guidance (`Parity/pipelines_unguided.py`).
@Suite struct UnguidedTests {
  private func model(_ name: String) throws -> LoadedModel { try LoadedModel(folder: "\(Goldens.root)/\(name)") }

  private func lastState(_ result: GenerationResult) throws -> Tensor {
    try #require(result.trajectory.first { $0.name == "final" }).tensor
  }

  @Test("scale 0 makes the prompt's picture, as in the reference", arguments: ["dit", "pixart-sigma", "sd", "sd3", "sdxl"])
  func zero(_ name: String) throws {
    let model = try model(name)
    var request = try Goldens.request(Goldens.file(name))
    (request.guidanceScale, request.negative) = (0, "")
    let result = try model.generate(request)
    let expected = try SafetensorsFile(path: Goldens.root + "/unguided.safetensors").tensor(name)
    #expect(try PictureFixture.gap(lastState(result), expected) <= 1e-3)
    let warnings = result.warnings.filter { !$0.contains("trained on") }
    #expect(warnings.isEmpty && result.images.first?.settings.guidanceScale == 0, "\(warnings)")
    request.guidanceScale = 1
    #expect(try lastState(model.generate(request)).hasBits(of: lastState(result)))
  }

  @Test("published models are guided above 1 only", arguments: [0.5, -3])
  func belowOne(_ scale: Double) throws {
    let model = try model("sd")
    func made(_ scale: Double) throws -> GenerationResult {
      try model.generate(request("mars") { ($0.steps, $0.guidanceScale, $0.negative) = (2, scale, "trending") })
    }
    func pixels(_ result: GenerationResult) throws -> Tensor { try #require(result.images.first).pixels }
    let (result, one) = (try made(scale), try made(1))
    #expect(try pixels(result).hasBits(of: pixels(one)))
    let isTold = result.warnings.contains { $0.contains("above 1 only") && $0.contains("\(scale)") }
    let isNegativeTold = result.warnings.contains { $0.contains("no effect at guidance scale \(scale)") }
    #expect(isTold && isNegativeTold, "\(result.warnings)")
    #expect(!one.warnings.contains { $0.contains("above 1 only") })
    // A little above 1 they are.
    let guided = try pixels(made(1.5))
    #expect(try !guided.hasBits(of: pixels(one)))
  }

  @Test func memoryIsThatOfOneBranch() throws {
    let outline = try ImagePipeline(LoadedModel.outline(folder: Goldens.root + "/sd"))
    func estimate(_ scale: Double) throws -> MemoryEstimate { try outline.estimate(request("mars") { $0.guidanceScale = scale }) }
    let (zero, half, one, two) = (try estimate(0), try estimate(0.5), try estimate(1), try estimate(2))
    #expect(zero == one && half == one)
    let (alone, both) = (try #require(zero.denoise), try #require(two.denoise))
    #expect(alone < both)
  }

  @Test("this project's own models weigh their branches at every scale but 1")
  func ownModels() throws {
    let folder = try TinyFolder()
    let model = try folder.load()
    let results = try [0.0, 0.5, 1.0].map { scale in try model.generate(request { $0.guidanceScale = scale }) }
    let pictures = try results.map { try #require($0.images.first).pixels }
    for (first, second) in [(0, 1), (0, 2), (1, 2)] { #expect(try !pictures[first].hasBits(of: pictures[second])) }
    for result in results { #expect(!result.warnings.contains { $0.contains("above 1 only") }, "\(result.warnings)") }
    withExtendedLifetime(folder) {}
  }

  @Test("networks that are told the scale are told 0 too")
  func told() throws {
    let model = try model("flux-dev")
    func made(_ scale: Double) throws -> GenerationResult {
      try model.generate(request("mars") { ($0.width, $0.height, $0.steps, $0.guidanceScale) = (16, 16, 2, scale) })
    }
    let (zero, one) = (try made(0), try made(1))
    let (first, second) = (try #require(zero.images.first).pixels, try #require(one.images.first).pixels)
    #expect(try !first.hasBits(of: second))
    #expect(!zero.warnings.contains { $0.contains("above 1 only") }, "\(zero.warnings)")
  }
}
