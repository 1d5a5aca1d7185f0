import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Prompts that were encoded elsewhere: what may be left out beside them, and what may not.
@Suite struct GivenPromptTests {
  @Test(
    "a mask that is not given shows all places, whatever the other branch's hides", arguments: ["sana", "pixart-alpha", "pixart-sigma"],
    [1, 2])
  func oneMask(_ name: String, _ count: Int) throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/\(name)")
    let channels = try #require(model.conditioner.promptChannels)
    func prompts(_ seed: UInt64) throws -> Tensor { try .randn([count, 7, channels], generator: Generator(seed: seed)) }
    let (asked, avoided) = (try prompts(1), try prompts(2))
    func pictures(_ positive: Tensor?, _ negative: Tensor?) throws -> [Tensor] {
      var request = GenerationRequest(prompts: Array(repeating: "mars", count: count), seeds: (0..<count).map { UInt64($0) })
      (request.width, request.height, request.steps, request.batch) = (16, 16, 2, count)
      (request.guidanceScale, request.usesTrainedSizes) = (3, false)
      (request.given.promptEmbeds, request.given.negativePromptEmbeds) = (asked, avoided)
      (request.given.promptMask, request.given.negativePromptMask) = (positive, negative)
      return try ImagePipeline(model).generate(request).images.map(\.pixels)
    }
    let row = Tensor([1, 1, 1, 0, 0, 0, 0] as [Float], shape: [1, 7])
    let (some, all) = (row.expand([count, 7]).contiguous(), Tensor.ones([count, 7]))
    for (alone, whole) in [(try pictures(some, nil), try pictures(some, all)), (try pictures(nil, some), try pictures(all, some))] {
      #expect(alone.count == count && whole.count == count)
      for (first, second) in zip(alone, whole) { #expect(try first.hasBits(of: second)) }
    }
    // Masks count: with one for both branches the picture is another.
    let both = try pictures(some, some)
    for (first, second) in zip(try pictures(some, nil), both) { #expect(try !first.hasBits(of: second)) }
  }

  @Test("a summary that is missing is named by its branch", arguments: ["sdxl", "sd3"])
  func summaries(_ name: String) throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/\(name)")
    let (channels, pooled) = (try #require(model.conditioner.promptChannels), try #require(model.conditioner.pooledChannels))
    var request = GenerationRequest(prompts: ["mars"], seeds: [3])
    (request.width, request.height, request.steps) = (16, 16, 1)
    (request.given.promptEmbeds, request.given.negativePromptEmbeds) = (.zeros([1, 5, channels]), .zeros([1, 5, channels]))
    request.given.negativePooledPromptEmbeds = .zeros([1, pooled])
    let first = #expect(throws: GenerationError.self) { try ImagePipeline(model).generate(request) }
    #expect(try #require(first).description.contains("needs 'pooled_prompt_embeds' beside 'prompt_embeds'"))
    (request.given.pooledPromptEmbeds, request.given.negativePooledPromptEmbeds) = (.zeros([1, pooled]), nil)
    let second = #expect(throws: GenerationError.self) { try ImagePipeline(model).generate(request) }
    #expect(try #require(second).description.contains("needs 'negative_pooled_prompt_embeds' beside 'negative_prompt_embeds'"))
  }
}
