import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Prompts that are shorter than the place encoders have for them.
@Suite struct ShortPromptTests {
  @Test(
    "T5 encodes a prompt of PixArt as far as the longest of its batch, and zeros stand behind", arguments: ["pixart-alpha", "pixart-sigma"])
  func shortPrompts(_ name: String) throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/\(name)")
    var warnings: [String] = []
    func encoded(_ prompts: [String]) throws -> (sequence: Tensor, counts: [Int]) {
      let condition = try withInference {
        try withTensorErrors {
          try model.conditioner.condition(prompts, side: .positive, frame: ConditioningFrame(width: 16, height: 16), warnings: &warnings)
        }
      }
      let mask = try #require(condition.mask)
      return (try #require(condition.sequence), try withTensorErrors { mask.to(.int64).sum([1]) }.scalars(Int64.self).map { Int($0) })
    }
    let long = "a photo of the astronaut riding a horse"
    let (alone, both) = (try encoded(["mars"]), try encoded(["mars", long]))
    let length = model.conditioner.promptLength
    #expect(alone.sequence.size(1) == length && both.sequence.size(1) == length && both.counts[0] == alone.counts[0])
    let (short, most) = (alone.counts[0], both.counts[1])
    #expect(short < most && most < length)
    func places(_ tensor: Tensor, _ row: Int, _ range: Range<Int>) throws -> Tensor {
      try withTensorErrors { tensor.select(0, index: row).narrow(0, start: range.lowerBound, length: range.count).contiguous() }
    }
    #expect(try places(alone.sequence, 0, 0..<short).largestDifference(from: places(both.sequence, 0, 0..<short)) < 1e-5)
    for (tensor, end) in [(alone.sequence, short), (both.sequence, most)] {
      #expect(try withTensorErrors { try places(tensor, 0, end..<length).abs().max() }.item() == 0)
      #expect(try withTensorErrors { try places(tensor, tensor.size(0) - 1, end - 1..<end).abs().max() }.item() > 0)
    }
  }

  @Test("attention to a prompt goes as far as the longest of its batch", arguments: ["pixart-sigma", "sana-gemma"])
  func work(_ name: String) throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/\(name)")
    func count(_ prompt: String, steps: Int) throws -> Double {
      var request = GenerationRequest(prompts: [prompt], seeds: [1])
      (request.steps, request.guidanceScale, request.width, request.height) = (steps, 1, model.pictureSize.width, model.pictureSize.height)
      return try OperationCount.measure { try model.generate(request) }.count
    }
    // Of two more evaluations, so that neither encoders nor codec count.
    func evaluations(_ prompt: String) throws -> Double { try count(prompt, steps: 4) - count(prompt, steps: 2) }
    let (short, long) = (try evaluations("mars"), try evaluations("a photo of the astronaut riding a horse"))
    #expect(short > 0 && short < long, "\(short), \(long)")
  }
}
