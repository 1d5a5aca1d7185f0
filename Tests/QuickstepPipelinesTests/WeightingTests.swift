import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepPipelines
import QuickstepTensor
import QuickstepTokenizers
import Testing

/// Words with weights and prompts of several chunks (`Parity/prompt_weighting.py`).
@Suite struct WeightingTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path

  private func condition(_ model: LoadedModel, _ prompts: [String], _ weighting: PromptWeighting) throws -> Conditioning {
    var warnings: [String] = []
    var frame = ConditioningFrame(width: 16, height: 16)
    frame.weighting = weighting
    defer { #expect(weighting == .none || warnings.isEmpty) }
    return try withInference {
      try withTensorErrors { try model.conditioner.condition(prompts, side: .positive, frame: frame, warnings: &warnings) }
    }
  }

  private func gap(_ actual: Tensor?, _ expected: Tensor) throws -> Double {
    let actual = try #require(actual)
    #expect(actual.shape == expected.shape)
    return try withTensorErrors { ((actual - expected).abs().max() / expected.square().mean().sqrt()).to(.float64) }.item()
  }

  @Test("encoded prompts are those of the formula", arguments: ["sd", "sdxl"]) func parity(_ name: String) throws {
    let file = try SafetensorsFile(path: Self.root + "/weighted.safetensors")
    let texts = try #require(file.metadata["prompts"])
    let prompts = try #require(try JSONValue(parsing: texts).array?.compactMap(\.string))
    let model = try LoadedModel(folder: "\(Self.root)/\(name)")
    #expect(prompts.count == 5)
    for (index, prompt) in prompts.enumerated() {
      let result = try condition(model, [prompt], .a1111)
      #expect(try gap(result.sequence, file.tensor("\(name).\(index).sequence")) < 2e-4, "\(prompt)")
      if name == "sdxl" { #expect(try gap(result.pooled, file.tensor("\(name).\(index).pooled")) < 2e-4, "\(prompt)") }
    }
  }

  @Test func aPromptDoesNotDependOnItsBatch() throws {
    let model = try LoadedModel(folder: Self.root + "/sd")
    let prompts = ["a (photo:1.3) of mars", "[mars]"]
    let both = try condition(model, prompts, .a1111)
    for (index, prompt) in prompts.enumerated() {
      let alone = try condition(model, [prompt], .a1111)
      let row = try withTensorErrors { try #require(both.sequence).narrow(0, start: index, length: 1) }
      #expect(try gap(row, #require(alone.sequence)) < 1e-5)
    }
  }

  @Test func withoutBracketsNothingChanges() throws {
    let model = try LoadedModel(folder: Self.root + "/sd")
    let weighted = try condition(model, ["a photo of mars"], .a1111), plain = try condition(model, ["a photo of mars"], .none)
    #expect(try gap(weighted.sequence, #require(plain.sequence)) == 0)
    // Literally by default.
    let literal = try condition(model, ["a (photo:1.3) of mars"], .none)
    #expect(try gap(literal.sequence, #require(condition(model, ["a (photo:1.3) of mars"], .a1111).sequence)) > 1e-3)
  }

  @Test func promptsOfSeveralChunksMakePictures() throws {
    let model = try LoadedModel(folder: Self.root + "/sd")
    var request = GenerationRequest(prompts: [Array(repeating: "astronaut", count: 40).joined(separator: " ")], seeds: [1])
    (request.steps, request.weighting, request.negative) = (2, .a1111, "(trending)")
    let result = try ImagePipeline(model).generate(request)
    #expect(result.warnings.isEmpty, "\(result.warnings)")
    let settings = try #require(result.images.first).settings
    #expect(settings.weighting == .a1111 && GenerationRequest(repeating: settings).weighting == .a1111)
    // The negative prompt has one chunk: both branches as they are, as in a run of its own for each.
    let pixels = try #require(result.images.first).pixels
    let largest: Double = try withTensorErrors { pixels.abs().max().to(.float64) }.item()
    #expect(largest.isFinite)
    request.weighting = .none
    #expect(try ImagePipeline(model).generate(request).images.first?.settings.weighting == nil)
  }

  @Test("weights without bounds are refused before anything runs")
  func excessiveWeights() throws {
    let outline = try ImagePipeline(LoadedModel.outline(folder: Self.root + "/sd"))
    var request = GenerationRequest(prompts: ["mars", String(repeating: "(", count: 1000) + "fox"], seeds: [1, 2])
    (request.steps, request.weighting) = (1, .a1111)
    let error = #expect(throws: GenerationError.self) { try outline.estimate(request) }
    #expect(try #require(error).description.contains("allowed: −1000…1000"))
    (request.prompts, request.negative) = (["mars", "fox"], "a (fox:2000)")
    let other = #expect(throws: GenerationError.self) { try outline.estimate(request) }
    #expect(try #require(other).description.contains("weighs a word by 2000.0"))
    request.weighting = .none
    #expect(throws: Never.self) { try outline.estimate(request) }
  }

  @Test("models that cannot weight words say so", arguments: ["dit", "flux-dev", "sd3", "pixart-alpha"]) func refusals(_ name: String)
    throws
  {
    let model = try LoadedModel(folder: "\(Self.root)/\(name)")
    var request = GenerationRequest(prompts: ["5"], seeds: [1])
    (request.width, request.height, request.steps, request.weighting) = (16, 16, 1, .a1111)
    let error = #expect(throws: GenerationError.self) { try ImagePipeline(model).generate(request) }
    #expect(try #require(error).description.contains("a1111"))
  }

  @Test func chunksAreFilledAndBroken() throws {
    let tokenizer = try CLIPTokenizer(folder: Self.root + "/sdxl/tokenizer_2")
    let chunks = PromptChunk.chunks(of: WeightedPrompt("(mars:2) BREAK"), tokenizer, length: 20)
    #expect(chunks.count == 1 && chunks[0].ids.count == 20 && chunks[0].weights.count == 20)
    #expect(chunks[0].weights.contains(2) && chunks[0].weights.first == 1 && chunks[0].weights.last == 1)
    // Behind the first end token comes padding.
    let end = try #require(chunks[0].ids.firstIndex(of: tokenizer.endID))
    #expect(chunks[0].ids[(end + 1)...].allSatisfy { $0 == tokenizer.paddingID })
    #expect(PromptChunk.chunks(of: WeightedPrompt(""), tokenizer, length: 20) == [PromptChunk.empty(tokenizer, length: 20)])
    #expect(PromptChunk.chunks(of: WeightedPrompt("BREAK mars"), tokenizer, length: 20).count == 2)
  }
}
