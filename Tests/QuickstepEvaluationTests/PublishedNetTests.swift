import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite("Users' feature nets") struct PublishedNetTests {
  @Test("Inception equals pytorch-fid on random weights, with both ways to resize", arguments: InceptionFeatures.Resizing.allCases)
  func inception(resizing: InceptionFeatures.Resizing) throws {
    let net = try InceptionFeatures(try Drawn.weights("inception"), resizing: resizing)
    for (name, shape, seed) in [("small", [2, 3, 40, 52], "pictures"), ("large", [1, 3, 310, 320], "large")] {
      let pictures = try withTensorErrors { try Drawn.noise(2, seed, shape).tanh() }
      let features = try net.features(pictures)
      #expect(features.shape == [shape[0], net.featureCount])
      #expect(try gap(features, try Drawn.golden("inception.\(name).\(resizing.rawValue)")) < 2e-4)
    }
    #expect(net.name == (resizing == .pytorch ? "inception" : "inception-tensorflow"))
    let metrics = try AllMetrics.make("frechet", nets: [net])
    #expect(metrics.first?.figure.hasPrefix("frechet-inception") == true)
  }

  @Test("SqueezeNet 1.0 equals torchvision's on random weights") func squeezeNet() throws {
    let network = try Weights.load(from: try Drawn.weights("squeezenet1_0")) { SqueezeNet($0) }.model
    let features = try withTensorErrors { network.maps(try Drawn.noise(2, "pictures", [2, 3, 70, 64])).mean([2, 3]) }
    #expect(try gap(features, try Drawn.golden("squeezenet1_0")) < 2e-4)
  }

  @Test("Weights of another network are refused") func wrongWeights() throws {
    var weights = try Drawn.weights("inception")
    weights.tensors["Mixed_5b.branch1x1.conv.weight"] = nil
    let broken = weights
    #expect(throws: WeightsError.self) { _ = try InceptionFeatures(broken) }
    #expect(problem { _ = try AllEvaluationNets.named("inception").make([:]) }?.contains("inception:FILE") == true)
  }
}

@Suite("CLIP") struct CLIPTests {
  static let texts = ["a red fox", "two small owls in the snow", "the fox", String(repeating: "a very long text ", count: 12)]

  /// The golden's network with the tokenizer's files of its own tests.
  static func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let tokenizer = URL(fileURLWithPath: fixtures).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("QuickstepTokenizersTests/Fixtures/clip").path
    let files = [(fixtures + "/clip", try FileManager.default.contentsOfDirectory(atPath: fixtures + "/clip"))]
    for (place, names) in files + [(tokenizer, ["vocab.json", "merges.txt", "tokenizer_config.json"])] {
      for name in names { try FileManager.default.copyItem(atPath: "\(place)/\(name)", toPath: "\(folder.path)/\(name)") }
    }
    return folder
  }

  /// As `Parity/goldens_nets.py` draws them; what a stored picture would hold.
  static func pictures(_ name: String, _ height: Int, _ width: Int) throws -> Tensor {
    let coarse = try Drawn.noise(5, name, [4, 3, height / 4 + 1, width / 4 + 1])
    return try withTensorErrors {
      let large = (coarse.repeatInterleave(4, dim: 2).repeatInterleave(4, dim: 3) * 0.6).tanh()
      let bytes = ((large.narrow(2, start: 0, length: height).narrow(3, start: 0, length: width) + 1) * 127.5).round()
      return bytes / 127.5 - 1
    }
  }

  @Test(
    "Embeddings and scores equal transformers', cut, reduced and enlarged",
    arguments: [("cut", 28, 28), ("large", 61, 75), ("small", 20, 17)])
  func parity(name: String, height: Int, width: Int) throws {
    let folder = try Self.folder()
    let net = try CLIPFeatures(folder: folder.path)
    let pictures = try Self.pictures(name, height, width)
    #expect(try gap(try net.embeddings(of: Self.texts), try Drawn.golden("clip.texts")) < 2e-4)
    // The reference rounds resized pictures to bytes with integer arithmetic, which may be one off.
    let tolerance = name == "cut" ? 2e-4 : 2e-2
    #expect(try gap(try net.features(pictures), try Drawn.golden("clip.\(name).pictures")) < tolerance)
    let metric = try #require(try AllMetrics.make("clip-score", nets: [net]).first as? any PromptMetric)
    let scores = try metric.values(pictures, prompts: Self.texts)
    #expect(zip(scores, try Drawn.goldenValues("clip.\(name).score")).allSatisfy { abs($0 - $1) < 100 * tolerance })
    #expect(metric.figure == "clip-score-clip-24x2-p8")
    #expect(metric.summarised(-3) == 0 && metric.summarised(3) == 3)
    let long = Array(repeating: "owl", count: 200).joined(separator: " ")
    #expect(
      metric.note(["owl", "owl"]) == "" && metric.note(["owl", long, long]).hasPrefix("1 of 2 prompts are longer than clip-24x2-p8"))
  }

  @Test("Scores over prompts of a folder; pictures of one prompt together") func evaluation() throws {
    let folder = try Self.folder()
    let net = try CLIPFeatures(folder: folder.path)
    let pictures = try Self.pictures("cut", 28, 28)
    let metrics = try ["clip-score", "frechet"].flatMap { try AllMetrics.make($0, nets: [net]) }
    let source = try HeldPictures(pictures, prompts: Self.texts)
    let results = try PictureEvaluation(metrics: metrics, batch: 3).run(source, reference: source)
    let mean = try Drawn.goldenValues("clip.cut.score").reduce(0, +) / 4
    #expect(abs(results[0].figure.value - max(0, mean)) < 0.02)
    #expect(results[1].figure.metric == "frechet-clip-24x2-p8" && results[1].figure.value < 1e-6)
    #expect(problem { _ = try PictureEvaluation(metrics: [metrics[0]]).run(try HeldPictures(pictures)) }?.contains("prompt") == true)
  }

  @Test("Folders that do not fit are refused with the reason") func badInput() throws {
    let folder = try Self.folder()
    func message(_ settings: String) throws -> String {
      try folder.write(settings, to: "preprocessor_config.json")
      do { _ = try CLIPFeatures(folder: folder.path) } catch { return "\(error)" }
      return "accepted"
    }
    #expect(try message("{}") == "accepted")
    #expect(try message(#"{"do_resize": false}"#).contains("'do_resize' is false"))
    #expect(try message(#"{"resample": 2}"#).contains("'resample'"))
    #expect(try message(#"{"crop_size": 20}"#).contains("takes 24"))
    #expect(try message(#"{"image_std": [1, 0, 1]}"#).contains("not positive"))
    #expect(try message(#"{"image_mean": [1, 0]}"#).contains("three numbers"))
    #expect(problem { _ = try AllEvaluationNets.named("clip").make([:]) }?.contains("clip:FOLDER") == true)
  }
}
