import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Places of a prompt that its mask hides: left out before the run where they have no part in the answer.
@Suite struct PaddingTests {
  typealias Case = PublishedCheckpointTests.Case

  private static let models = ["pixart-0", "pixart-1", "pixart-2", "pixart-3", "sana-0", "sana-1", "sana-2", "sana-3"]

  /// A network, its fixture's inputs, and the prompt with `hidden` places of other numbers behind it.
  private struct Padded {
    let backbone: any Backbone
    let inputs: [String: Tensor]
    let conditioning: Conditioning
    let length: Int
    let hidden = 7

    init(_ name: String) throws {
      inputs = try Case(name: name).tensors("in.")
      backbone = try #require(try Architectures.load(folder: Case(name: name).folder).component as? any Backbone)
      let sequence = try #require(inputs["encoder_hidden_states"])
      length = sequence.size(1)
      let others = sequence.narrow(1, start: 0, length: 1).expand([-1, hidden, -1]) * 3 + 1
      var conditioning = Conditioning(sequence: .cat([sequence, others], dim: 1))
      conditioning.guidanceScale = inputs["guidance"]
      (conditioning.resolution, conditioning.aspectRatio) = (inputs["resolution"], inputs["aspect_ratio"])
      self.conditioning = conditioning
    }

    /// With a mask under which the first `count` places of every prompt count.
    func showing(_ count: Int) throws -> Conditioning {
      var result = conditioning
      let all = length + hidden
      let row = Tensor((0..<all).map { $0 < count ? Float(1) : 0 }, shape: [1, all]).to(.bool)
      result.mask = row.expand([try #require(conditioning.sequence).size(0), all]).contiguous()
      return result
    }

    func answer(_ conditions: [Conditioning]) throws -> Tensor {
      let (sample, times) = (try #require(inputs["hidden_states"]), try #require(inputs["timestep"]))
      return try withTensorErrors {
        let own = times.to(.float32).reshape([-1]).expand([sample.size(0)])
        return try backbone(
          .cat(conditions.map { _ in sample }), timestep: .cat(conditions.map { _ in own }), conditioning: .stacked(conditions),
          evaluation: .plain)
      }
    }
  }

  @Test("branches are cut to the longest of them, and answer what they did", arguments: models)
  func branches(_ name: String) throws {
    let padded = try Padded(name)
    let conditions = ["positive": try padded.showing(padded.length), "negative": try padded.showing(2)]
    let short = try padded.backbone.unpadded(conditions)
    #expect(Set(short.keys) == ["positive", "negative"])
    for (branch, condition) in short {
      let whole = try #require(conditions[branch])
      #expect(condition.sequence?.size(1) == padded.length && condition.mask?.size(1) == padded.length)
      let cut = try #require(whole.sequence).narrow(1, start: 0, length: padded.length).contiguous()
      #expect(try bits(#require(condition.sequence)) == bits(cut), "\(branch)")
      #expect(condition.resolution?.shape == whole.resolution?.shape && condition.guidanceScale?.shape == whole.guidanceScale?.shape)
    }
    let names = ["negative", "positive"]
    let expected = try padded.answer(names.map { try #require(conditions[$0]) })
    #expect(try relativeDifference(padded.answer(names.map { try #require(short[$0]) }), expected) <= 2e-6)
  }

  @Test(
    "nothing is cut without a mask, where a prompt has no place that counts, and where the last one counts",
    arguments: ["pixart-1", "sana-2"])
  func kept(_ name: String) throws {
    let padded = try Padded(name)
    let all = padded.length + padded.hidden
    let pairs = [
      [padded.conditioning, try padded.showing(2)], [try padded.showing(0), try padded.showing(2)],
      [try padded.showing(all), try padded.showing(2)],
    ]
    for pair in pairs {
      let found = try Conditioning.withoutPadding(pair)
      #expect(found.map { $0.sequence?.size(1) } == [all, all] && found.map { $0.mask?.size(1) } == pair.map { $0.mask?.size(1) })
    }
    #expect(try Conditioning.withoutPadding([]).isEmpty)
    // A place in the middle may be hidden and stays.
    var holed = try padded.showing(padded.length)
    let shown = try #require(holed.mask)
    holed.mask = .cat(
      [shown.narrow(1, start: 0, length: 1), shown.narrow(1, start: all - 1, length: 1), shown.narrow(1, start: 2, length: all - 2)], dim: 1
    )
    let found = try Conditioning.withoutPadding([holed])
    #expect(found[0].mask?.size(1) == padded.length)
    let counts = try #require(found[0].mask).to(.float32)
    #expect(try counts.sum().item() == Double((padded.length - 1) * counts.size(0)))
  }

  @Test("by name as well: as much work as without the hidden places", arguments: ["pixart-1", "sana-2"])
  func named(_ name: String) throws {
    let padded = try Padded(name)
    let whole = try padded.showing(padded.length)
    func output(_ condition: Conditioning) throws -> (tensor: Tensor, count: Double) {
      var inputs = padded.inputs
      (inputs["encoder_hidden_states"], inputs["encoder_attention_mask"]) = (condition.sequence, condition.mask?.to(.float32))
      var output: Tensor?
      let work = try OperationCount.measure { output = try padded.backbone.forward(inputs)["sample"] }
      return (try #require(output), work.count)
    }
    let short = try #require(try padded.backbone.unpadded(["": whole])[""])
    let (long, cut) = (try output(whole), try output(short))
    #expect(try bits(long.tensor) == bits(cut.tensor) && long.count == cut.count && cut.count > 0)
    var open = whole
    open.mask = try padded.showing(padded.length + padded.hidden).mask
    #expect(try output(open).count > cut.count)
  }

  @Test("networks that say nothing about hidden places keep them") func others() throws {
    let backbone = try #require(try Architectures.load(folder: Case(name: "plain-unet-0").folder).component as? any Backbone)
    var condition = Conditioning(sequence: .zeros([1, 5, 4]))
    condition.mask = Tensor([1, 1, 0, 0, 0] as [Float], shape: [1, 5]).to(.bool)
    #expect(try backbone.unpadded(["positive": condition])["positive"]?.sequence?.size(1) == 5)
  }
}
