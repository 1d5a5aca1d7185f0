import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// What a recorded evaluation needs of a network, looked at without a GPU: a watch notes operators whose tensors come from elsewhere than parameters,
/// inputs and kept tables, or from nowhere, and whoever looks at a tensor's memory.
@Suite struct GraphReadinessTests {
  typealias Case = PublishedCheckpointTests.Case

  /// A backbone's folder with its inputs.
  struct Network: Sendable, CustomTestStringConvertible {
    let folder: String
    var testDescription: String { folder.split(separator: "/").last.map(String.init) ?? folder }
    static let all =
      ModelFixture.backbones.map { Network(folder: $0.folder) }
      + Case.all.filter { item in
        ["dit", "flux", "pixart", "plain-unet", "sana", "sd3", "unet"].contains { item.name.hasPrefix($0) }
      }.map { Network(folder: $0.folder) }

    func load() throws -> (backbone: any Backbone, parameters: [Tensor]) {
      let loaded = try Architectures.load(folder: folder)
      return (try #require(loaded.component as? any Backbone), loaded.parameters.all.map(\.tensor))
    }

    /// Sample, timestep and condition with the fixture's shapes; FLUX's fixtures hold tokens, for which latents of the same type are made up.
    func inputs(_ backbone: any Backbone) throws -> (Tensor, Tensor, Conditioning) {
      let file = try SafetensorsFile(path: folder + "/golden.safetensors")
      var named: [String: Tensor] = [:]
      for name in file.names where name.hasPrefix("in.") { named[String(name.dropFirst(3))] = try file.tensor(name) }
      let given = try #require(named["sample"] ?? named["hidden_states"])
      let shape = [given.size(0), backbone.sampleShape[0]] + Array(repeating: 4 * backbone.sizeMultiple, count: 2)
      let sample = given.rank == 4 ? given : Tensor.randn(shape, generator: try Generator(seed: 3))
      return (sample, Tensor.full([sample.size(0)], fillValue: 500, dtype: .float32), try Conditioning(named: named))
    }
  }

  @Test("an evaluation touches no main memory once its tables are kept", arguments: Network.all)
  func noHostWork(_ network: Network) throws {
    let (backbone, parameters) = try network.load()
    let (sample, timestep, condition) = try network.inputs(backbone)
    let tables = ConstantTables()
    func evaluate() throws -> [String] {
      let residuals = condition.residuals.map { $0.down + ($0.middle.map { [$0] } ?? []) } ?? []
      let origins = parameters + [sample, timestep] + condition.parts.map(\.tensor) + residuals + tables.all
      return try HostWatch.operators(origins: origins) {
        try tables.keeping {
          try withInference {
            try withTensorErrors { try backbone(sample, timestep: timestep, conditioning: condition, evaluation: .plain) }
          }
        }
      }.operators
    }
    #expect(try !evaluate().isEmpty && !tables.all.isEmpty, "the first makes its tables")
    #expect(try evaluate() == [])
  }

  @Test("an evaluation depends on its tensors alone", arguments: Network.all)
  func noHostNumbers(_ network: Network) throws {
    let (backbone, _) = try network.load()
    let (sample, timestep, condition) = try network.inputs(backbone)
    func answer(_ context: StepContext) throws -> [UInt32] {
      try bits(
        withTensorErrors { try backbone(sample, timestep: timestep, conditioning: condition, evaluation: Evaluation(context)) })
    }
    let other = StepContext(
      step: 7, stepCount: 9, evaluation: 11, evaluationCount: 12, level: NoiseLevel(timestep: 13, alpha: 0.3, sigma: 0.9),
      branches: ["negative"])
    #expect(try answer(Evaluation.plain.context) == answer(other))
  }

  @Test("tables change no bit", arguments: Network.all)
  func tables(_ network: Network) throws {
    let (backbone, _) = try network.load()
    let (sample, timestep, condition) = try network.inputs(backbone)
    func answer() throws -> [UInt32] {
      try bits(withTensorErrors { try backbone(sample, timestep: timestep, conditioning: condition, evaluation: .plain) })
    }
    let (anew, tables) = (try answer(), ConstantTables())
    for _ in 0..<2 { #expect(try tables.keeping(answer) == anew) }
    #expect(!tables.all.isEmpty)
  }

  @Test("on a GPU kernels of convolutions have channels innermost, and so have their results")
  func channelsInnermost() throws {
    for name in ["unet-0", "plain-unet-0"] {
      let folder = Case(name: name).folder
      let (there, here) = (
        try Architectures.load(folder: folder, device: .meta).parameters, try Architectures.load(folder: folder).parameters
      )
      let kernels = there.all.filter { $0.tensor.rank == 4 && $0.tensor.size(2) > 1 && $0.tensor.size(1) > 1 }
      #expect(kernels.count > 4)
      for (name, kernel) in kernels { #expect(kernel.isContiguous(.channelsLast) && !kernel.isContiguous, "\(name)") }
      for (name, kernel) in here.all { #expect(kernel.isContiguous, "\(name)") }
    }
    // A kernel that is stored so makes the result so, whatever the input is like.
    let kernel = Tensor.ones([4, 8, 3, 3]).contiguous(memoryFormat: .channelsLast)
    let result = try withTensorErrors {
      Tensor.ones([2, 8, 6, 5]).conv2d(kernel, bias: nil, stride: [1, 1], padding: [1, 1], groups: 1)
    }
    #expect(result.isContiguous(.channelsLast) && !result.isContiguous)
  }

  @Test func partsOfAConditionComeBack() throws {
    var condition = Conditioning(sequence: .zeros([1, 2, 3]), mask: .ones([1, 2]), pooled: .zeros([1, 4]), classes: .ones([1]))
    (condition.timeIDs, condition.guidance, condition.guidanceScale) = (.zeros([1, 6]), .zeros([1, 5]), .zeros([1]))
    (condition.resolution, condition.aspectRatio) = (.zeros([1, 2]), .zeros([1, 1]))
    condition.prepared = ["b": .zeros([1, 7]), "a": .zeros([1, 8])]
    let copy = Conditioning(parts: condition.parts)
    #expect(condition.parts.count == 11 && copy.parts.map(\.name) == condition.parts.map(\.name))
    for (mine, other) in zip(copy.parts, condition.parts) { #expect(mine.tensor.isIdentical(to: other.tensor), "\(mine.name)") }
    #expect(copy.prepared.keys.sorted() == ["a", "b"] && Conditioning().parts.isEmpty)
  }
}
