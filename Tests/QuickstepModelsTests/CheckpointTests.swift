import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Testing

/// A checkpoint must fit its model exactly, and the error lists all that does not.
@Suite struct CheckpointTests {
  /// The fixture's weights in memory, to be damaged.
  private func tensors(_ fixture: ModelFixture) throws -> [String: Tensor] {
    let source = try fixture.weights()
    var result: [String: Tensor] = [:]
    for name in source.names { result[name] = try source.tensor(name) }
    return result
  }

  private func construct(_ fixture: ModelFixture, _ tensors: [String: Tensor]) throws -> ParameterTree {
    let configuration = try fixture.configuration()
    let architecture = try Architectures.of(configuration)
    return try Weights.load(from: TensorDictionary(tensors, origin: "damaged")) { try architecture.construct(configuration, $0) }.parameters
  }

  private func failure(_ fixture: ModelFixture, _ tensors: [String: Tensor]) throws -> String {
    try #require(#expect(throws: WeightsError.self) { try construct(fixture, tensors) }).description
  }

  @Test(arguments: ModelFixture.all)
  func everyTensorIsUsedOnce(_ fixture: ModelFixture) throws {
    #expect(try fixture.load().parameters.names.sorted() == fixture.weights().names.sorted())
  }

  @Test func weightsThatAreWholeNumbersAreRefused() throws {
    let fixture = try #require(ModelFixture.all.first)
    var tensors = try tensors(fixture)
    let name = try #require(tensors.keys.sorted().first)
    tensors[name] = tensors[name]?.to(.int64)
    let source = TensorDictionary(tensors, origin: "damaged")
    let error = #expect(throws: FormatError.self) { try Architectures.load(fixture.configuration(), from: source) }
    #expect(error?.description == "damaged: tensor \"\(name)\" is of type int64; weights are floating-point numbers")
  }

  @Test("a fresh model has the names and shapes of the checkpoint", arguments: ModelFixture.all)
  func freshModel(_ fixture: ModelFixture) throws {
    let fresh = try Architectures.fresh(fixture.configuration(), generator: Generator(seed: 0)).parameters
    let source = try fixture.weights()
    #expect(fresh.names.sorted() == source.names.sorted())
    for (name, tensor) in fresh.all { #expect(tensor.shape == source.info(name)?.shape, "\(name)") }
  }

  @Test("a fresh backbone predicts zero, whatever it is given", arguments: ModelFixture.backbones)
  func freshBackboneIsSilent(_ fixture: ModelFixture) throws {
    let fresh = try Architectures.fresh(fixture.configuration(), generator: Generator(seed: 0))
    let output = try #require(fresh.component.forward(fixture.inputs())["sample"])
    #expect(try output.abs().max().item() == 0)
  }

  @Test(arguments: ModelFixture.all)
  func missingTensor(_ fixture: ModelFixture) throws {
    var tensors = try tensors(fixture)
    let name = try #require(tensors.keys.sorted().first)
    tensors[name] = nil
    let message = try failure(fixture, tensors)
    #expect(message.contains("missing (1): \(name)"), "\(message)")
  }

  @Test(arguments: ModelFixture.all)
  func extraTensor(_ fixture: ModelFixture) throws {
    var tensors = try tensors(fixture)
    tensors["blocks.99.surplus.weight"] = .zeros([2])
    let message = try failure(fixture, tensors)
    #expect(message.contains("not used by the model (1): blocks.99.surplus.weight"), "\(message)")
  }

  @Test(arguments: ModelFixture.all)
  func wrongShape(_ fixture: ModelFixture) throws {
    var tensors = try tensors(fixture)
    let name = try #require(tensors.keys.sorted().last)
    let shape = try #require(tensors[name]).shape
    tensors[name] = .zeros(shape + [2])
    let message = try failure(fixture, tensors)
    #expect(message.contains("\(name) is \(shape + [2]), the model needs \(shape)"), "\(message)")
  }

  @Test func oneErrorListsEverything() throws {
    let fixture = ModelFixture(name: "transformer-patch8")
    var tensors = try tensors(fixture)
    tensors["proj_out.weight"] = .zeros([1, 32])
    tensors["blocks.1.attn2.to_v.bias"] = nil
    tensors["blocks.0.adaln.bias"] = nil
    tensors["ema_decay"] = .zeros([])
    let message = try failure(fixture, tensors)
    for part in ["damaged", "proj_out.weight is [1, 32]", "missing (2)", "blocks.1.attn2.to_v.bias", "blocks.0.adaln.bias", "ema_decay"] {
      #expect(message.contains(part), "\(part) in: \(message)")
    }
  }
}
