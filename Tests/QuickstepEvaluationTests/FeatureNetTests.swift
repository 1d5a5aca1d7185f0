import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor
import Testing

private let squeezeNet = Data.path(SqueezeNetFeatures.dataSet)
private let emoji = Data.path("emoji64")
private let absent: Comment = "the data sets are not on this machine; set QUICKSTEP_DATA"

@Suite("Feature nets") struct FeatureNetTests {
  @Test("SqueezeNet equals PyTorch's on the reference pictures", .enabled(if: squeezeNet != nil, absent))
  func squeezeNetParity() throws {
    let folder = try #require(squeezeNet)
    let net = try SqueezeNetFeatures(path: folder)
    let reference = try SafetensorsFile(path: folder + "/reference.safetensors")
    let bytes = try reference.tensor("images_u8")
    let images = try withTensorErrors { bytes.to(.float32) / 127.5 - 1 }
    for (name, actual) in [("features", try net.features(images, batch: 2)), ("logits", try net.logits(images))] {
      let expected = try reference.tensor(name)
      #expect(actual.shape == expected.shape)
      let gap = try withTensorErrors { (actual - expected).abs().max() / expected.standardDeviation(correction: 0) }.item()
      #expect(gap < 1e-4, "\(name) differ by \(gap) standard deviations")
    }
  }

  @Test("Pictures the net cannot take are refused with the reason", .enabled(if: squeezeNet != nil, absent))
  func badPictures() throws {
    let net = try SqueezeNetFeatures(path: squeezeNet)
    func message(_ shape: [Int], _ value: Double = 0) throws -> String? {
      let images = try withTensorErrors { Tensor.full(shape, fillValue: .real(value)) }
      return problem { _ = try net.features(images) }
    }
    #expect(try message([1, 1, 64, 64])?.contains("[B, 3, H, W]") == true)
    #expect(try message([1, 3, 64, 32])?.contains("square") == true)
    #expect(try message([1, 3, 256, 256])?.contains("at most 224") == true)
    #expect(try message([0, 3, 64, 64])?.contains("empty") == true)
    #expect(try message([1, 3, 64, 64], .nan)?.contains("NaN") == true)
  }

  @Test("Retrieval on the real pictures", .enabled(if: squeezeNet != nil && emoji != nil, absent))
  func emojiRetrieval() throws {
    let dataset = try EmojiDataset(path: try #require(emoji))
    let net = try SqueezeNetFeatures(path: squeezeNet)
    let retrieval = try EmojiRetrieval(dataset: dataset, selection: EmojiSelection(groups: ["Flags"], styles: ["noto", "blob"]), net: net)
    #expect(retrieval.known.count == retrieval.taught.count)
    let pairs = try EmojiPairs.train.draw(from: retrieval.taught, count: 6, seed: 1)
    #expect(pairs.count == 6 && Set(pairs).count == 6)
    #expect(pairs == (try EmojiPairs.train.draw(from: retrieval.taught, count: 6, seed: 1)))
    #expect(pairs != (try EmojiPairs.train.draw(from: retrieval.taught, count: 6, seed: 2)))
    // The real pictures find themselves; without themselves they may not.
    let real = try EmojiRetrieval.pictures(of: pairs, in: dataset)
    #expect(try retrieval.score(real, of: pairs).top(1).value == 1)
    let ceiling = try retrieval.ceiling(pairs)
    #expect(ceiling.ranks.allSatisfy { (1...retrieval.conceptCount).contains($0) })
    #expect(problem { _ = try retrieval.score(real, of: Array(pairs.dropLast())) }?.contains("5 pairs") == true)
  }

  @Test("Real emoji as a judge see what retrieval finds", .enabled(if: squeezeNet != nil && emoji != nil, absent))
  func emojiLookup() throws {
    let (dataset, selection) = (try EmojiDataset(path: try #require(emoji)), EmojiSelection(groups: ["Symbols"], styles: ["noto", "blob"]))
    let net = try SqueezeNetFeatures(path: squeezeNet)
    let lookup = try EmojiLookup(dataset: dataset, selection: selection, net: net)
    let retrieval = try EmojiRetrieval(dataset: dataset, selection: selection, net: net)
    let pairs = try EmojiPairs.train.draw(from: retrieval.taught, count: 12, seed: 1)
    let real = try EmojiRetrieval.pictures(of: pairs, in: dataset)
    #expect(try lookup.ranks(real, prompts: pairs.map(\.name)) == Array(repeating: 1, count: 12))
    // Pictures of other things mixed in are not all found, and found alike.
    let mixed = try withTensorErrors {
      ((real + real.roll([1], dims: [0]) * 0.8) * 0.55 * 127.5 + 127.5).clamp(min: 0, max: 255).round() / 127.5 - 1
    }
    let ranks = try lookup.ranks(mixed, prompts: pairs.map(\.name))
    #expect(try ranks == retrieval.score(mixed, of: pairs).ranks && ranks.contains { $0 > 1 }, "\(ranks)")
    #expect(Set(lookup.classNames) == Set(retrieval.known.map(\.name)) && lookup.realStatistics.isEmpty)
    #expect(problem { _ = try lookup.ranks(real, prompts: Array(repeating: "a quark", count: 12)) }?.contains("knows no 'a quark'") == true)
  }

  @Test("Selections the data set does not have are refused", .enabled(if: emoji != nil, absent))
  func badSelections() throws {
    let dataset = try EmojiDataset(path: try #require(emoji))
    #expect(problem { _ = try EmojiSelection(groups: ["Cars"]).rows(of: dataset) }?.contains("Animals & Nature") == true)
    #expect(problem { _ = try EmojiSelection(styles: ["oil"]).rows(of: dataset) }?.contains("twemoji") == true)
    #expect(problem { _ = try EmojiPairs.heldout.draw(from: [], count: nil, seed: 0) }?.contains("no heldout pairs") == true)
    let rows = try EmojiSelection(groups: ["Flags"]).rows(of: dataset)
    #expect(problem { _ = try EmojiPairs.train.draw(from: rows, count: 0, seed: 0) }?.contains("at least 1") == true)
  }

  @Test("Digits are read as pictures in −1…1", .enabled(if: Data.path("mnist") != nil, absent))
  func digits() throws {
    let digits = try DigitSet(.test, folder: Data.path("mnist"), limit: 50)
    #expect(digits.images.shape == [50, 1, 28, 28])
    #expect(Array(digits.labels.prefix(5)) == [7, 2, 1, 0, 4])
    #expect(try digits.images.min().item() == -1)
    #expect(try digits.images.max().item() == 1)
  }
}
