import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Inner-loop feedback in whole generations.
@Suite struct FeedbackPipelineTests {
  /// A module for the tiny transformer: its second block's weights and scales that are this number.
  private static func write(_ model: LoadedModel, of tiny: TinyFolder, scale: Double, fingerprint: String? = nil, to folder: String) throws
  {
    let file = try SafetensorsFile(path: tiny.path + "/transformer/diffusion_pytorch_model.safetensors")
    let names = file.names.filter { $0.hasPrefix("blocks.1.") }
    let block = try Dictionary(uniqueKeysWithValues: names.map { (String($0.dropFirst(9)), try file.tensor($0)) })
    let settings = FeedbackModule.Configuration(
      model: "tiny", fingerprint: fingerprint ?? model.fingerprint, blocks: 2, first: 1, last: 1, hiddenSize: 16, steps: 4, solver: "ddim",
      begin: 1, end: 1, guidanceScale: 2)
    try FeedbackModule(settings, block: block, scales: [withTensorErrors { .full([16], fillValue: .real(scale)) }]).write(to: folder)
  }

  private static func fed(_ folder: String) -> GenerationRequest {
    request { $0.accelerations = [MethodChoice("ilf", parameters: ["module": folder])] }
  }

  @Test("scales of 0 give the same pictures, others do not", arguments: [1, 2])
  func pictures(_ batch: Int) throws {
    let (tiny, place) = (try TinyFolder(), try TemporaryFolder())
    let model = try tiny.load()
    try Self.write(model, of: tiny, scale: 0, to: place.path + "/zero")
    try Self.write(model, of: tiny, scale: 0.5, to: place.path + "/half")
    func pictures(_ folder: String?) throws -> [[UInt8]] {
      var request = GenerationRequest(prompts: Array(repeating: "red fox", count: batch), seeds: [1, 2].prefix(batch).map { $0 })
      request.batch = batch
      if let folder { request.accelerations = Self.fed(folder).accelerations }
      return try model.pictures(request)
    }
    let plain = try pictures(nil)
    #expect(try pictures(place.path + "/zero") == plain)
    #expect(try pictures(place.path + "/half") != plain)
  }

  @Test func blocksAreCounted() throws {
    let (tiny, place) = (try TinyFolder(), try TemporaryFolder())
    let model = try tiny.load()
    try Self.write(model, of: tiny, scale: 0.5, to: place.path)
    let result = try model.generate(Self.fed(place.path))
    let estimate = try ImagePipeline(model).estimate(Self.fed(place.path))
    // A block of the file and the block made of it.
    let block = try FeedbackModule(path: place.path).block.tensors.values.reduce(0) { $0 + $1.count }
    #expect(estimate.weights >= model.parameterBytes + 6 * block && estimate.held == 0)
    // Four evaluations are few, and nothing else is warned of.
    #expect(result.warnings.allSatisfy { $0.contains("ten and more") }, "\(result.warnings)")
    // Four evaluations of two blocks; the inner two of them run one block again and the feedback block.
    #expect(result.accelerations[0].computed == 8 && result.accelerations[0].additional == 4)
  }

  @Test func otherModelsAreRefused() throws {
    let (tiny, place) = (try TinyFolder(), try TemporaryFolder())
    let model = try tiny.load()
    try Self.write(model, of: tiny, scale: 0.5, to: place.path + "/own")
    try Self.write(model, of: tiny, scale: 0.5, fingerprint: "0123456789", to: place.path + "/other")
    func refused(_ model: LoadedModel, _ folder: String, _ part: String) throws {
      let error = #expect(throws: (any Error).self) { try model.generate(Self.fed(folder)) }
      #expect("\(try #require(error))".contains(part), "\(error as Any)")
    }
    try refused(model, place.path + "/other", "0123456789")
    try refused(model, place.path + "/none", "no feedback module")
    let unet = try TinyFolder(.unet).load()
    try refused(unet, place.path + "/own", "list of at least 2 blocks")
    var longer = Self.fed(place.path + "/own")
    longer.steps = 6
    #expect(try model.generate(longer).warnings.contains { $0.contains("trained for runs of 4 steps") })
  }
}
