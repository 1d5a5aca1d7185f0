import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite("Sizes a model was trained on") struct SizeBinsTests {
  private func golden() throws -> SafetensorsFile { try SafetensorsFile(path: Goldens.root + "/size-bins.safetensors") }

  /// PixArt-Σ for pictures of 256 × 256, which has several sizes.
  private func folder(_ place: TemporaryFolder) throws -> String {
    let folder = place.path + "/model"
    try FileManager.default.copyItem(atPath: Goldens.root + "/pixart-sigma", toPath: folder)
    let path = folder + "/transformer/config.json"
    let members = try ConfigurationFile(path: path).members.merging(["sample_size": .integer(32)]) { $1 }
    try JSONValue.object(members).text.write(toFile: path, atomically: true, encoding: .utf8)
    return folder
  }

  @Test("the nearest one is the reference's", arguments: [256, 512, 1024, 2048, 4096]) func nearest(_ side: Int) throws {
    let file = try golden()
    let asked = try file.tensor("asked").to(.int64).scalars(Int.self)
    let worked = try file.tensor("worked.\(side)").to(.int64).scalars(Int.self)
    #expect(asked.count == 400 && worked.count == 400)
    for place in stride(from: 0, to: asked.count, by: 2) {
      let (width, height) = SizeBins(side: side).nearest(width: asked[place + 1], height: asked[place])
      #expect((height, width) == (worked[place], worked[place + 1]), "\(asked[place + 1])x\(asked[place])")
    }
  }

  @Test("a picture of another size is the reference's") func picture() throws {
    let place = try TemporaryFolder()
    let model = try LoadedModel(folder: folder(place))
    let file = try golden()
    var request = GenerationRequest(prompts: [try #require(file.metadata["prompt"])], seeds: [7])
    (request.width, request.height, request.steps, request.guidanceScale) = (40, 24, 2, 4.5)
    #expect(try ImagePipeline(model).estimate(request).stateShape == [1, 4, 96, 160])
    let result = try ImagePipeline(model).generate(request)
    let image = try #require(result.images.first)
    #expect((image.settings.width, image.settings.height) == (40, 24) && image.settings.usesTrainedSizes == true)
    #expect(result.warnings.contains { $0.contains("works at 320x192") && $0.contains("40x24") }, "\(result.warnings)")
    let expected = try file.tensor("picture")
    let clipped = try withTensorErrors { image.pixels.clamp(min: -1, max: 1) }
    #expect(clipped.shape == [3, 24, 40])
    #expect(
      try withTensorErrors { ((clipped - expected).abs().max() / (expected - expected.mean()).square().mean().sqrt()).to(.float64) }.item()
        <= 1e-3)
    // It can be made again.
    let again = try ImagePipeline(model).generate(GenerationRequest(repeating: image.settings)).images[0]
    #expect(try again.pixels.hasBits(of: image.pixels))
    withExtendedLifetime(place) {}
  }

  @Test("the exact size, and who decides besides") func exact() throws {
    let place = try TemporaryFolder()
    let model = try LoadedModel(folder: folder(place))
    func state(_ change: (inout GenerationRequest) -> Void) throws -> [Int] {
      var request = GenerationRequest(prompts: ["mars"], seeds: [1])
      (request.width, request.height, request.steps) = (40, 24, 2)
      change(&request)
      return try ImagePipeline(model).estimate(request).stateShape
    }
    #expect(try state { $0.usesTrainedSizes = false } == [1, 4, 12, 20])
    #expect(try state { $0.width = 41 } == [1, 4, 96, 160], "any size can be asked for")
    #expect(throws: GenerationError.self) { try state { ($0.width, $0.usesTrainedSizes) = (41, false) } }
    #expect(throws: GenerationError.self) { try state { $0.width = 5000 } }
    #expect(try state { $0.given.latents = Tensor.zeros([1, 4, 10, 8]) } == [1, 4, 10, 8], "latents have a size already")
    #expect(throws: (any Error).self) { try state { $0.given.latents = Tensor.zeros([1, 4, 11, 8]) } }
    // Models with one size say that there is nothing to choose.
    var plain = GenerationRequest(prompts: ["mars"], seeds: [1])
    (plain.steps, plain.usesTrainedSizes) = (1, false)
    let warnings = try ImagePipeline(LoadedModel(folder: Goldens.root + "/sd")).generate(plain).warnings
    #expect(warnings.contains { $0.contains("no effect") }, "\(warnings)")
    withExtendedLifetime(place) {}
  }

  @Test("sizes beyond the network's table of positions are refused before it runs") func largest() throws {
    let outline = try LoadedModel.outline(folder: Goldens.root + "/sd3")
    // Twelve patches of two latents, of two pixels each.
    #expect(outline.backbone.largestSide == 24 && outline.pixelsPerSample == 2)
    var request = GenerationRequest(prompts: ["mars"], seeds: [1])
    (request.width, request.height, request.steps) = (48, 48, 1)
    #expect(try ImagePipeline(outline).estimate(request).stateShape == [1, 4, 24, 24])
    for (width, height) in [(52, 16), (16, 52)] {
      (request.width, request.height) = (width, height)
      let error = #expect(throws: GenerationError.self) { try ImagePipeline(outline).estimate(request) }
      let text = try #require(error).description
      #expect(text.contains("\(width)x\(height)") && text.contains("at most 48"), "\(text)")
    }
  }
}
