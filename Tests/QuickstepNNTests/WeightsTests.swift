import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Loading, its audit, and fresh parameters.
@Suite struct WeightsTests {
  private struct Pair: Sendable {
    let first: Linear
    let second: Linear
    init(_ weights: Weights) {
      first = Linear(weights["first"], 2, 3)
      second = Linear(weights["second", 0], 3, 2, bias: false)
    }
  }

  private let complete: [String: Tensor] = [
    "first.weight": .ones([3, 2]), "first.bias": .zeros([3]), "second.0.weight": .ones([2, 3]),
  ]

  private func failure(_ tensors: [String: Tensor], _ construct: (Weights) throws -> Void) throws -> String {
    let error = #expect(throws: WeightsError.self) {
      try Weights.load(from: TensorDictionary(tensors, origin: "here.safetensors")) { try construct($0) }
    }
    return try #require(error).description
  }

  @Test func aFittingCheckpointIsUsedWhole() throws {
    let (model, parameters) = try Weights.load(from: TensorDictionary(complete)) { Pair($0) }
    #expect(parameters.names == ["first.weight", "first.bias", "second.0.weight"], "in the order of construction")
    #expect(parameters.count == 15 && parameters.byteCount == 60)
    let output = try withTensorErrors { model.second(model.first(Tensor([1, 2] as [Float], shape: [1, 2]))) }
    #expect(try output.scalars(Float.self) == [9, 9])
  }

  @Test func theAuditListsEverythingAtOnce() throws {
    var tensors = complete
    tensors["first.weight"] = .ones([3, 4])
    tensors["first.bias"] = nil
    tensors["second.0.weight"] = nil
    tensors["stray"] = .zeros([1])
    tensors["second.1.weight"] = .zeros([1])
    let message = try failure(tensors) { weights in
      _ = Pair(weights)
      _ = weights["first"].parameter("weight", [3, 2], initial: .zeros)
      weights["first"].report("is odd")
    }
    for part in [
      "here.safetensors does not fit the model: ", "first.weight is [3, 4], the model needs [3, 2]", "first: is odd",
      "missing (2): first.bias [3], second.0.weight [2, 3]", "used twice (1): first.weight",
      "not used by the model (2): second.1.weight, stray",
    ] {
      #expect(message.contains(part), "'\(part)' in: \(message)")
    }
  }

  @Test func longListsAreCutShort() throws {
    var tensors = complete
    for index in 0..<30 { tensors["stray.\(index)"] = .zeros([1]) }
    let message = try failure(tensors) { _ = Pair($0) }
    #expect(message.contains("not used by the model (30): stray.0, ") && message.hasSuffix(", …"))
  }

  @Test func ignoredNamesMayBeLeftOver() throws {
    var tensors = complete
    tensors["buffer.steps"] = .zeros([1])
    _ = try Weights.load(from: TensorDictionary(tensors), ignoring: { $0.hasPrefix("buffer.") }) { Pair($0) }
    #expect(throws: WeightsError.self) { try Weights.load(from: TensorDictionary(tensors), ignoring: { $0 == "other" }) { Pair($0) } }
  }

  @Test func aTensorThatCannotBeReadIsListed() throws {
    struct Broken: TensorSource {
      let names = ["first.weight"]
      let metadata: [String: String] = [:]
      let origin = "a broken disk"
      func info(_ name: String) -> TensorInfo? { name == names[0] ? TensorInfo(name: name, dtype: .float32, shape: [2]) : nil }
      func tensor(_ name: String) throws -> Tensor { throw WeightsError("sector 7 is gone") }
    }
    let error = #expect(throws: WeightsError.self) {
      try Weights.load(from: Broken()) { $0["first"].parameter("weight", [2], initial: .zeros) }
    }
    let message = try #require(error).description
    #expect(message.contains("a broken disk") && message.contains("first.weight: sector 7 is gone"))
  }

  @Test func failuresOfConstructionAreErrors() throws {
    struct Refusal: Error {}
    #expect(throws: Refusal.self) { try Weights.load(from: TensorDictionary(complete)) { _ in throw Refusal() } }
    #expect(throws: TensorError.self) {
      try Weights.load(from: TensorDictionary(complete)) { weights in
        _ = Pair(weights)
        _ = Tensor.zeros([2]).view([3])
      }
    }
    #expect(throws: TensorError.self) {
      try Weights.initialise(generator: Generator(seed: 0)) { $0.parameter("huge", [1 << 40, 1 << 20], initial: .zeros) }
    }
  }

  @Test func onlyFloatingPointWeightsAreConverted() throws {
    let source = TensorDictionary(["a": Tensor([1.5, 2.5]), "steps": Tensor([7])])
    func load(_ dtype: DType?) throws -> [DType] {
      let made = try Weights.load(from: source, dtype: dtype) {
        [$0.parameter("a", [2], initial: .zeros), $0.parameter("steps", [1], initial: .zeros)]
      }
      return made.model.map(\.dtype)
    }
    #expect(try load(.bfloat16) == [.bfloat16, .int64])
    #expect(try load(nil) == [.float64, .int64])
  }

  @Test func scopesJoinNamesAndNumbers() throws {
    let source = TensorDictionary(["down.0.resnets.1.weight": .ones([2])])
    let made = try Weights.load(from: source) { weights in
      let scope = weights["down", 0, "resnets", 1]
      #expect(scope.path == "down.0.resnets.1" && weights["down"][0]["resnets"][1].path == scope.path && weights.path == "")
      #expect(scope.has("weight") && !scope.has("bias") && !weights.has("weight"))
      #expect(scope.info("weight")?.shape == [2])
      return scope.parameter("weight", [2], initial: .zeros)
    }
    #expect(try made.model.scalars(Float.self) == [1, 1])
  }

  @Test func freshParametersAreAFunctionOfTheSeed() throws {
    func make(_ seed: UInt64) throws -> ParameterTree { try Weights.initialise(generator: Generator(seed: seed)) { Pair($0) }.parameters }
    let (a, b, other) = (try make(5), try make(5), try make(6))
    #expect(a.names == b.names)
    for name in a.names { #expect(try #require(a[name]).hasBits(of: #require(b[name])), "\(name)") }
    #expect(try !#require(a["first.weight"]).hasBits(of: #require(other["first.weight"])))
    #expect(try #require(a["first.bias"]).scalars(Float.self) == [0, 0, 0])
  }

  @Test(
    "initialisers have the spread they say",
    arguments: [
      (Initializer.normal(0.5), 0.5, 5.0), (.uniform(0.3), 0.3 / 3.squareRoot(), 0.3), (.fanIn(25), 0.2 / 3.squareRoot(), 0.2),
      (.xavier(fanIn: 10, fanOut: 14), 0.5 / 3.squareRoot(), 0.5), (.constant(2), 0, 2), (.zeros, 0, 0), (.ones, 0, 1),
    ])
  func spread(_ initial: Initializer, _ deviation: Double, _ largest: Double) throws {
    let tensor = try Weights.initialise(generator: Generator(seed: 3)) { $0.parameter("x", [100, 100], initial: initial) }.model
    #expect(try abs(tensor.standardDeviation().item() - deviation) <= 0.02 * deviation)
    let bound = try tensor.abs().max().item()
    #expect(bound <= largest * (1 + 1e-6) && (initial == .normal(0.5) || bound >= 0.99 * largest))
  }

  @Test func treesJoinUnderPrefixes() throws {
    let (_, parameters) = try Weights.load(from: TensorDictionary(complete)) { Pair($0) }
    var joined = parameters.prefixed("unet.")
    joined.merge(parameters.prefixed("encoder."))
    #expect(joined.names.count == 6 && joined.names.first == "unet.first.weight" && joined.names.last == "encoder.second.0.weight")
    #expect(joined["first.weight"] == nil && joined.count == 2 * parameters.count)
  }
}

/// Which operator a linear layer computes with.
@Suite struct LinearFormTests {
  private func random(_ shape: [Int], _ seed: UInt64) throws -> Tensor { .randn(shape, generator: try Generator(seed: seed)) }

  private func layer(_ tensors: [String: Tensor], bias: Bool = true) throws -> Linear {
    try Weights.load(from: TensorDictionary(tensors)) { Linear($0, 5, 4, bias: bias) }.model
  }

  @Test func whatTheScopeHoldsDecides() throws {
    var tensors = ["weight": try random([4, 5], 1), "bias": try random([4], 2)]
    #expect(try type(of: layer(tensors).form).name == "plain")
    tensors["lora_A.weight"] = try random([2, 5], 3)
    tensors["lora_B.weight"] = try random([4, 2], 4)
    #expect(try type(of: layer(tensors).form).name == "low-rank")
    let fresh = try Weights.initialise(generator: Generator(seed: 0)) { Linear($0, 5, 4) }.model
    #expect(type(of: fresh.form).name == "plain")
  }

  @Test("the low-rank form is W + (α/r)·B·A", arguments: [nil, 1.0, 8.0])
  func lowRank(_ alpha: Double?) throws {
    let (weight, bias) = (try random([4, 5], 1), try random([4], 2))
    let (down, up, input) = (try random([2, 5], 3), try random([4, 2], 4), try random([3, 5], 5))
    var tensors = ["weight": weight, "bias": bias, "lora_A.weight": down, "lora_B.weight": up]
    if let alpha { tensors["alpha"] = Tensor(scalar: Float(alpha)) }
    let found = try withTensorErrors { try layer(tensors)(input) }
    // In Double, by hand.
    let scale = (alpha ?? 2) / 2
    let (w, b) = (weight.to(.float64), bias.to(.float64))
    let merged = w + up.to(.float64).matmul(down.to(.float64)) * scale
    let expected = try withTensorErrors { input.to(.float64).matmul(merged.transposed) + b }
    #expect(try found.largestDifference(from: expected) < 1e-6)
    let plain = try withTensorErrors { input.to(.float64).matmul(w.transposed) + b }
    #expect(try found.largestDifference(from: plain) > 0.1)
  }

  @Test func aHalfLowRankBranchIsReported() throws {
    let tensors = ["weight": try random([4, 5], 1), "bias": try random([4], 2), "lora_B.weight": try random([4, 2], 4)]
    let error = #expect(throws: WeightsError.self) { try layer(tensors) }
    #expect(try #require(error).description.contains("lora_A.weight"))
  }

  @Test func aBiasNobodyAsksForIsReported() throws {
    let error = #expect(throws: WeightsError.self) { try layer(["weight": random([4, 5], 1), "bias": random([4], 2)], bias: false) }
    #expect(try #require(error).description.contains("not used by the model (1): bias"))
  }

  @Test func convolutionsKeepTheSizeUnlessTold() throws {
    let input = try random([1, 4, 7, 6], 1)
    let made = try Weights.initialise(generator: Generator(seed: 0)) { weights in
      [
        Convolution(weights["a"], 4, 2, kernel: 3), Convolution(weights["b"], 4, 2, kernel: 3, stride: 2),
        Convolution(weights["c"], 4, 2, kernel: 3, padding: 0), Convolution(weights["d"], 4, 4, kernel: 1, groups: 2, bias: false),
      ]
    }
    #expect(
      try made.model.map { layer in try withTensorErrors { layer(input) }.shape } == [
        [1, 2, 7, 6], [1, 2, 4, 3], [1, 2, 5, 4], [1, 4, 7, 6],
      ])
    #expect(made.parameters["d.weight"]?.shape == [4, 2, 1, 1] && made.parameters["d.bias"] == nil)
  }
}
