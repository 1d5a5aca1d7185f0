import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// What models take in memory, and in which types their parts compute.
@Suite struct OutlineTests {
  /// Types of weights by name, for arguments of tests.
  private static let types: [String: DType] = ["float32": .float32, "bfloat16": .bfloat16, "float16": .float16]

  @Test(
    "an outline counts the bytes that the model takes, with the kernels that it is to run on",
    arguments: ["sd", "sdxl", "sd3", "flux-dev", "pixart-alpha", "sana-gemma", "dit"], ["float32", "bfloat16", "float16"])
  func bytes(_ name: String, _ type: String) throws {
    let dtype = try #require(Self.types[type])
    let folder = "\(Goldens.root)/\(name)"
    for kernels in [KernelChoice.standard, .plain] {
      let outline = try LoadedModel.outline(folder: folder, dtype: dtype, kernels: kernels)
      let model = try LoadedModel(folder: folder, dtype: dtype, kernels: kernels)
      #expect(outline.parameterBytes == model.parameterBytes, "\(kernels)")
      #expect(outline.computeType == model.computeType && outline.codecType == model.codecType, "\(kernels)")
    }
    // Prepared layers keep in float32 what is no matrix.
    guard LayerPreparation.isAvailable, dtype == .bfloat16 else { return }
    let (packed, plain) = (
      try LoadedModel.outline(folder: folder, dtype: dtype), try LoadedModel.outline(folder: folder, dtype: dtype, kernels: .plain)
    )
    #expect(packed.parameterBytes > plain.parameterBytes)
  }

  @Test("a ControlNet counts the bytes that it takes", arguments: ["float32", "bfloat16"])
  func control(_ type: String) throws {
    let dtype = try #require(Self.types[type])
    let folder = PictureFixture.root + "/parts/controlnet-sd"
    let picture = try InputPicture(PixelImage(width: 16, height: 16, fill: RGBColor(10, 200, 30)))
    for kernels in [KernelChoice.standard, .plain] {
      let outline = try ControlInput(folder: folder, picture: picture, dtype: dtype, device: .meta, kernels: kernels)
      let loaded = try ControlInput(folder: folder, picture: picture, dtype: dtype, kernels: kernels)
      #expect(outline.parameterBytes == loaded.parameterBytes && loaded.parameterBytes > 0, "\(kernels)")
    }
  }

  @Test("a codec that asks for float32 has it where other parts compute in float16", arguments: [true, false])
  func codec(_ asks: Bool) throws {
    let copy = try PictureFixture.folder("sd")
    let folder = copy.path + "/model"
    let members = try ConfigurationFile(path: folder + "/vae/config.json").members.merging(["force_upcast": .bool(asks)]) { $1 }
    try JSONValue.object(members).text.write(toFile: folder + "/vae/config.json", atomically: true, encoding: .utf8)
    func count(_ part: String) throws -> Int { try Architectures.load(folder: "\(folder)/\(part)").parameters.count }
    let model = try LoadedModel(folder: folder, dtype: .float16, kernels: .plain)
    #expect(model.computeType == .float16 && model.codecType == (asks ? .float32 : .float16))
    let others = try count("unet") + count("text_encoder")
    #expect(try model.parameterBytes == 2 * others + (asks ? 4 : 2) * count("vae"))
    // Its latents come and go in its own type.
    var request = GenerationRequest(prompts: ["mars"], seeds: [1])
    (request.width, request.height, request.steps) = (16, 16, 4)
    request.pictures.start = StartImage(
      try InputPicture(PixelImage(width: 16, height: 16, fill: RGBColor(200, 30, 60))), strength: 0.5)
    let pixels = try #require(try model.generate(request).images.first).pixels
    #expect(pixels.shape == [3, 16, 16])
    #expect(try withTensorErrors { pixels.isFinite().all() }.item() == 1)
    // Activations take the bytes of that type.
    let whole = try ImagePipeline(LoadedModel(folder: folder, kernels: .plain)).estimate(request)
    let half = try ImagePipeline(model).estimate(request)
    #expect(asks ? half.decode == whole.decode : half.decode < whole.decode)
    // With other types there is nothing to ask for.
    let other = try LoadedModel(folder: folder, dtype: .bfloat16, kernels: .plain)
    #expect(other.codecType == .bfloat16)
    withExtendedLifetime(copy) {}
  }
}
