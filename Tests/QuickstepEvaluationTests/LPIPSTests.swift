import QuickstepEvaluation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite("LPIPS") struct LPIPSTests {
  /// Drawn once: VGG has 15 million weights.
  private static let made = Dictionary(
    uniqueKeysWithValues: LPIPS.Backbone.allCases.map { backbone in
      (backbone, Result { try LPIPS(backbone, network: Drawn.weights(backbone.rawValue), heads: heads(backbone)) })
    })

  static func metric(_ backbone: LPIPS.Backbone) throws -> LPIPS { try #require(made[backbone]).get() }

  static func heads(_ backbone: LPIPS.Backbone) throws -> TensorDictionary {
    try Drawn.weights("\(backbone.rawValue).heads", seed: 3, absolute: true) { String($0.dropFirst(3)) }
  }

  static func pictures() throws -> (Tensor, Tensor) {
    let (first, second) = (try Drawn.noise(2, "first", [2, 3, 50, 43]), try Drawn.noise(2, "second", [2, 3, 50, 43]))
    return try withTensorErrors { (first.tanh(), (first.tanh() + second * 0.3).tanh()) }
  }

  @Test("Equal to the package on random weights", arguments: LPIPS.Backbone.allCases) func parity(backbone: LPIPS.Backbone) throws {
    let (first, second) = try Self.pictures()
    let values = try Self.metric(backbone).distances(first, second)
    let expected = try Drawn.goldenValues("lpips.\(backbone.rawValue)")
    // The figures are sums of squares of float32 values.
    #expect(zip(values, expected).allSatisfy { abs($0 - $1) < 2e-5 * $1 }, "\(values) \(expected)")
  }

  @Test("0 for equal pictures, symmetric, grows with noise; grey is three equal channels", arguments: LPIPS.Backbone.allCases)
  func laws(backbone: LPIPS.Backbone) throws {
    let metric = try Self.metric(backbone)
    let side = [31, 16, 17][LPIPS.Backbone.allCases.firstIndex(of: backbone) ?? 0]
    let clean = try withTensorErrors { try Drawn.noise(4, "clean", [1, 1, side, side + 4]) * 0.4 }
    let noise = try Drawn.noise(4, "noise", [1, 1, side, side + 4])
    #expect(try metric.distances(clean, clean) == [0])
    let levels = try [0.05, 0.2, 0.6].map { level in
      try metric.distances(clean, try withTensorErrors { clean + noise * level })[0]
    }
    #expect(levels == levels.sorted() && levels[0] > 0)
    let noisy = try withTensorErrors { clean + noise * 0.2 }
    #expect(isClose(try metric.distances(noisy, clean), [levels[1]], 1e-6))
    let colour = try withTensorErrors { (clean.repeated([1, 3, 1, 1]), noisy.repeated([1, 3, 1, 1])) }
    #expect(isClose(try metric.distances(colour.0, colour.1), [levels[1]], 1e-6))
    #expect(metric.name == "lpips-\(backbone.rawValue)")
    let small = try withTensorErrors { clean.narrow(2, start: 0, length: side - 1) }
    #expect(problem { _ = try metric.distances(small, small) }?.contains("at least \(side)") == true)
  }

  @Test("Files of other networks and heads below 0 are refused; the loader names what is missing") func badInput() throws {
    let (squeeze, heads) = (try Drawn.weights("squeeze"), try Self.heads(.alex))
    #expect(throws: WeightsError.self) { _ = try LPIPS(.alex, network: squeeze, heads: heads) }
    let alex = try Drawn.weights("alex")
    #expect(throws: WeightsError.self) { _ = try LPIPS(.alex, network: alex, heads: try Self.heads(.squeeze)) }
    var negative = heads
    negative.tensors["lin2.model.1.weight"] = try withTensorErrors { -(try heads.tensor("lin2.model.1.weight")) }
    #expect(problem { _ = try LPIPS(.alex, network: alex, heads: negative) }?.contains("head 2") == true)
    #expect(problem { _ = try AllEvaluationNets.named("lpips-alex").make([:]) }?.contains("backbone=FILE,heads=FILE") == true)
    let metric = try Self.metric(.alex)
    let (first, second) = try Self.pictures()
    let cut = try withTensorErrors { second.narrow(3, start: 0, length: 40) }
    #expect(problem { _ = try metric.distances(first, cut) }?.contains("[2, 3, 50, 40]") == true)
  }

  @Test("Loaded from files, as a metric of its own name") func files() throws {
    let folder = try TemporaryFolder()
    for (name, source) in [("backbone", try Drawn.weights("squeeze")), ("heads", try Self.heads(.squeeze))] {
      try SafetensorsWriter.write(source.tensors.map { (name: $0.key, tensor: $0.value) }, to: "\(folder.path)/\(name).safetensors")
    }
    let net = try AllEvaluationNets.named("lpips-squeeze").make(
      ["backbone": folder.path + "/backbone.safetensors", "heads": folder.path + "/heads.safetensors"])
    let metrics = try AllMetrics.make("perceptual", nets: [net])
    #expect(metrics.map(\.figure) == ["lpips-squeeze"])
    let (first, second) = try Self.pictures()
    let paired = try #require(metrics.first as? any PairedMetric)
    #expect(isClose(try paired.values(first, second), try Drawn.goldenValues("lpips.squeeze"), 1e-5))
  }
}
