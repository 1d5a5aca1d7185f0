import QuickstepDiffusion
import QuickstepEvaluation
import QuickstepNN
import QuickstepTensor
import Testing

/// A feature net without weights: the mean of each channel's halves. Features of pictures that are alike are alike.
struct HalvesNet: FeatureNet, PictureDistance {
  let name = "halves"
  let channels = 3
  let inputSize = [16, 16]
  let preprocessing = "none"
  let featureCount = 6
  let device = Device.cpu
  let metric = "perceptual-halves"
  func preprocess(_ images: Tensor) -> Tensor { images }
  func evaluate(_ input: Tensor) throws -> Tensor {
    let halves = input.chunk(2, dim: 3)
    return Tensor.cat(halves.map { $0.mean([2, 3]) }, dim: 1)
  }
  func check(_ shape: [Int]) throws {}
  func distances(_ first: Tensor, _ second: Tensor, batch: Int) throws -> [Double] {
    try withTensorErrors { (first - second).abs().mean([1, 2, 3]).to(.float64) }.scalars(Double.self)
  }
}

@Suite("Registry of metrics") struct RegistryTests {
  @Test("Names are unique, lower case and found again; declarations are whole") func declarations() throws {
    let names = AllMetrics.all.map { $0.declaration.name }
    #expect(Set(names).count == names.count && names.count >= 11)
    for type in AllMetrics.all {
      let declaration = type.declaration
      #expect(declaration.name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" }, "\(declaration.name)")
      #expect(declaration.summary.hasSuffix(".") && !declaration.reference.isEmpty)
      #expect(try AllMetrics.named(declaration.name.uppercased()).declaration.name == declaration.name)
    }
    let nets = AllEvaluationNets.all.map(\.name)
    #expect(Set(nets).count == nets.count)
    for need in AllMetrics.all.compactMap({ $0.declaration.need }) {
      #expect(AllEvaluationNets.all.contains { $0.provides.contains(need) }, "\(need)")
    }
  }

  @Test("Every metric of pairs: equal pictures are best, more noise is worse") func pairedLaws() throws {
    let clean = try withTensorErrors { try normal([2, 3, 168, 168], seed: 1, dtype: .float32) * 0.3 }
    let noise = try normal([2, 3, 168, 168], seed: 2, dtype: .float32)
    for type in AllMetrics.all where type.declaration.kind == .paired {
      for metric in try AllMetrics.make(type.declaration.name, nets: [HalvesNet()]) {
        let paired = try #require(metric as? any PairedMetric)
        let values = try [0.0, 0.1, 0.3].map { level in try paired.values(try withTensorErrors { clean + noise * level }, clean) }
        let losses = values.map { type.declaration.direction.loss(candidate: $0[0], baseline: values[0][0]) }
        #expect(losses[0] < losses[1] && losses[1] < losses[2], "\(paired.figure): \(losses)")
        #expect(values.allSatisfy { $0.count == 2 })
      }
    }
  }

  @Test("Every metric of sets: the same set is better than a shifted one, the figure names the net") func setLaws() throws {
    let features = try normal([60, 6], seed: 3, dtype: .float32)
    let other = try normal([70, 6], seed: 4, dtype: .float32)
    for type in AllMetrics.all where type.declaration.kind == .set {
      let metrics = try AllMetrics.make(type.declaration.name, nets: [HalvesNet()])
      let metric = try #require(metrics.first as? any SetMetric)
      #expect(metric.figure.hasSuffix("-halves"))
      let near = try metric.measure(try FeatureSets(features, reference: other), Bootstrap(resamples: 50))
      let far = try metric.measure(try FeatureSets(try withTensorErrors { features + 1.5 }, reference: other), Bootstrap(resamples: 50))
      #expect(type.declaration.direction.loss(candidate: far.value, baseline: near.value) > 0, "\(metric.figure): \(near) \(far)")
      if let interval = near.interval { #expect(interval.contains(near.value)) }
    }
  }

  @Test("Unknown names, parameters and missing networks are refused with what there is") func badInput() throws {
    #expect(problem { _ = try AllMetrics.make("frechet") }?.contains("squeezenet") == true)
    #expect(throws: UnknownMethodError.self) { _ = try AllMetrics.named("fid") }
    #expect(throws: ParameterError.self) { _ = try AllMetrics.make("ms-ssim", ["scales": "7"]) }
    #expect(throws: ParameterError.self) { _ = try AllMetrics.make("ssim", ["scales": "3"]) }
    #expect(throws: UnknownMethodError.self) { _ = try AllEvaluationNets.named("resnet") }
    #expect(problem { _ = try AllEvaluationNets.named("digit-classifier").make([:]) }?.contains("folder") == true)
  }
}
