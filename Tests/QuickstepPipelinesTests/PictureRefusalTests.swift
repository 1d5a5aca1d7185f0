import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Pictures, parts of runs and tilings that cannot be served: an error with what is allowed, before any work.
@Suite struct PictureRefusalTests {
  struct Mistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let parts: [String]
    let change: @Sendable (inout GenerationRequest) throws -> Void
    init(_ name: String, _ parts: [String], _ change: @escaping @Sendable (inout GenerationRequest) throws -> Void) {
      (testDescription, self.parts, self.change) = (name, parts, change)
    }
  }

  private static func picture(_ width: Int = 8, _ height: Int = 8) throws -> InputPicture {
    try InputPicture(PixelImage(width: width, height: height, fill: .white), name: "x.png")
  }

  static let mistakes = [
    Mistake("strength 0", ["strength is 0.0", "above 0"]) { $0.pictures.start = StartImage(try picture(), strength: 0) },
    Mistake("strength above 1", ["strength is 1.5"]) { $0.pictures.start = StartImage(try picture(), strength: 1.5) },
    Mistake("strength that is no number", ["strength is nan"]) { $0.pictures.start = StartImage(try picture(), strength: .nan) },
    Mistake("mask alone", ["mask needs"]) { $0.pictures.mask = InpaintMask(try picture()) },
    Mistake("another size", ["x.png is 8x8", "16x8", "--resize"]) {
      $0.pictures.start = StartImage(try picture())
      ($0.width, $0.height) = (16, 8)
    },
    Mistake("a size that the network cannot have", ["9x8", "multiples of 4"]) { $0.pictures.start = StartImage(try picture(9, 8)) },
    Mistake("mask of another size", ["x.png is 8x4", "8x8"]) {
      $0.pictures.start = StartImage(try picture())
      $0.pictures.mask = InpaintMask(try picture(8, 4))
    },
    Mistake("part that begins later", ["0.5", "another model"]) { $0.span = 0.5...1 },
    Mistake("part without steps", ["rising"]) { $0.span = 0...0 },
    Mistake("part beyond the run", ["within 0…1"]) { $0.span = 0...1.5 },
    Mistake("part too short", ["no step", "0.0001"]) { $0.span = 0...0.0001 },
    Mistake("a state, but the run begins at 0", ["begins at 0"]) { $0.pictures.handover = .zeros([1, 3, 8, 8]) },
    Mistake("state of another shape", ["[1, 3, 4, 8]", "[1, 3, 8, 8]"]) {
      $0.pictures.handover = .zeros([1, 3, 4, 8])
      $0.span = 0.5...1
    },
    Mistake("state and picture", ["one or the other"]) {
      $0.pictures.handover = .zeros([1, 3, 8, 8])
      $0.span = 0.5...1
      $0.pictures.start = StartImage(try picture())
    },
    Mistake("tiling without a codec", ["no codec", "auto or off"]) { $0.tiling = .on },
    Mistake("ControlNet for another network", ["takes no ControlNet"]) {
      $0.pictures.controls = [try ControlInput(folder: PictureFixture.root + "/parts/controlnet-sd", picture: picture())]
    },
  ]

  @Test("what cannot be served is refused with the reason", arguments: mistakes)
  func refused(_ mistake: Mistake) throws {
    let folder = try TinyFolder()
    let model = try folder.load()
    var request = request()
    try mistake.change(&request)
    let error = #expect(throws: GenerationError.self) { try model.generate(request) }
    let message = "\(try #require(error))"
    for part in mistake.parts { #expect(message.contains(part), "\(message)") }
    // Outlines refuse the same without weights.
    let outline = try LoadedModel.outline(folder: folder.path)
    #expect(throws: GenerationError.self) { try ImagePipeline(outline).estimate(request) }
  }

  @Test func numbersThatAreNoPicture() throws {
    for shape in [[8, 8], [2, 8, 8], [1, 3, 8, 8], [3, 0, 8]] {
      #expect(throws: (any Error).self) { try InputPicture(Tensor.zeros(shape)) }
    }
    #expect(throws: GenerationError.self) { try InputPicture(Tensor.full([3, 4, 4], fillValue: 2, dtype: .float32)) }
    #expect(throws: GenerationError.self) { try InputPicture(Tensor.full([3, 4, 4], fillValue: .real(.nan), dtype: .float32)) }
    #expect(throws: GenerationError.self) { try InputPicture(Tensor.zeros([3, 4, 4], dtype: .int64)) }
  }

  @Test func anOutlineCountsWhatTheModelHas() throws {
    var rounded = 0
    for kind in TinyFolder.Kind.allCases {
      let folder = try TinyFolder(kind)
      // Prepared layers round sizes up, which counts in layers as small as these.
      let plain = try LoadedModel.outline(folder: folder.path, kernels: .plain)
      #expect(try LoadedModel(folder: folder.path, kernels: .plain).parameterBytes == plain.parameterBytes)
      let model = try folder.load()
      let outline = try LoadedModel.outline(folder: folder.path)
      #expect(outline.parameterBytes >= plain.parameterBytes)
      rounded += outline.parameterBytes - plain.parameterBytes
      #expect(outline.parameterBytes == model.parameterBytes && outline.fingerprint == model.fingerprint)
      let plan = request(kind == .classes ? "1" : "red fox")
      #expect(try ImagePipeline(outline).estimate(plan) == ImagePipeline(model).estimate(plan))
      var large = plan
      (large.width, large.height) = (64, 64)
      let (small, more) = (try ImagePipeline(outline).estimate(plan), try ImagePipeline(outline).estimate(large))
      #expect(try #require(more.denoise) > 32 * #require(small.denoise) && more.weights == small.weights)
    }
    #expect(rounded > 0 || !LayerPreparation.isAvailable)
  }

  @Test func distilledNetworksAreToldTheScale() throws {
    let copy = try PictureFixture.folder("sd", class: "LatentConsistencyModelPipeline")
    let path = copy.path + "/model/unet"
    let stored = try JSONValue(path: path + "/config.json")
    var members = try #require(stored.object)
    members["time_cond_proj_dim"] = .integer(6)
    try JSONValue.object(members).text.write(toFile: path + "/config.json", atomically: true, encoding: .utf8)
    let source = try SafetensorsFile(path: path + "/diffusion_pytorch_model.safetensors")
    var tensors = try source.names.map { (name: $0, tensor: try source.tensor($0)) }
    tensors.append(("time_embedding.cond_proj.weight", .randn([8, 6], generator: try Generator(seed: 1))))
    try SafetensorsWriter.write(tensors, to: path + "/diffusion_pytorch_model.safetensors")
    let model = try LoadedModel(folder: copy.path + "/model")
    #expect(model.defaults.guidanceScale == 8.5 && model.defaults.steps == 4)
    let weak = try model.generate(request("mars") { $0.guidanceScale = 2 })
    let strong = try model.generate(request("mars") { ($0.guidanceScale, $0.negative) = (8, "venus") })
    #expect(weak.evaluations == 4 && strong.warnings.contains { $0.contains("distilled") })
    #expect(try !weak.images[0].pixels.hasBits(of: strong.images[0].pixels))
    // One branch: the state is not doubled.
    #expect(
      try ImagePipeline(model).estimate(request("mars")).denoise
        == ImagePipeline(model).estimate(request("mars") { $0.guidanceScale = 1 }).denoise)
  }
}
