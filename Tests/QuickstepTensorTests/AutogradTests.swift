import QuickstepTensor
import QuickstepTesting
import Testing

/// Gradients and the modes that switch them off.
@Suite struct AutogradTests {
  private func leaf(_ values: [Double]) -> Tensor {
    let tensor = Tensor(values)
    tensor.setRequiresGradient(true)
    return tensor
  }

  @Test func backwardAccumulatesUntilCleared() throws {
    let x = leaf([1, 2])
    try withTensorErrors { x.square().sum().backward() }
    try withTensorErrors { x.square().sum().backward() }
    #expect(try #require(x.gradient).scalars(Double.self) == [4, 8])
    x.setGradient(nil)
    #expect(x.gradient == nil)
    x.setGradient(Tensor([7.0, 7.0]))
    #expect(try #require(x.gradient).scalars(Double.self) == [7, 7])
  }

  @Test func keptGraphsCanBeUsedTwice() throws {
    let x = leaf([3])
    let y = x.square().sum()
    try withTensorErrors { y.backward(keepGraph: true) }
    try withTensorErrors { y.backward() }
    #expect(try #require(x.gradient).item() == 12)
    #expect(throws: TensorError.self) { try withTensorErrors { y.backward() } }
  }

  @Test func gradientsAreThoseOfTheWeightedSum() throws {
    let (x, y) = (leaf([1, 2]), leaf([3, 5]))
    let product = x * y
    let plain = try Tensor.gradients(of: [product.sum()], withRespectTo: [x, y], keepGraph: true)
    #expect(try plain.map { try $0.scalars(Double.self) } == [[3, 5], [1, 2]])
    let weighted = try Tensor.gradients(of: [product], weightedBy: [Tensor([10.0, -1])], withRespectTo: [x])
    #expect(try weighted[0].scalars(Double.self) == [30, -5])
    #expect(x.gradient == nil, "gradients(of:) must not accumulate")
  }

  @Test func secondDerivatives() throws {
    let x = leaf([2])
    let first = try Tensor.gradients(of: [x.pow(3).sum()], withRespectTo: [x], createGraph: true)
    let second = try Tensor.gradients(of: [first[0].sum()], withRespectTo: [x])
    #expect(try first[0].detach().item() == 12)
    #expect(try second[0].item() == 12)
  }

  @Test func anInputOutsideTheGraphIsAnError() throws {
    let (x, other) = (leaf([1]), leaf([1]))
    #expect(throws: TensorError.self) { try Tensor.gradients(of: [x.sum()], withRespectTo: [other]) }
    #expect(throws: TensorError.self) { try Tensor.gradients(of: [Tensor([1.0]).sum()], withRespectTo: [x]) }
  }

  @Test func weightsMustMatchTheOutputs() throws {
    let x = leaf([1, 2])
    #expect(throws: TensorError.self) { try Tensor.gradients(of: [x * 2, x * 3], weightedBy: [Tensor([1.0, 1.0])], withRespectTo: [x]) }
    #expect(throws: TensorError.self) { try Tensor.gradients(of: [x * 2], weightedBy: [], withRespectTo: [x]) }
    #expect(throws: TensorError.self) { try Tensor.gradients(of: [x * 2], withRespectTo: [x]) }
  }

  @Test func modesNestAndEnd() throws {
    let x = leaf([1])
    withoutGradients {
      #expect(!(x * 2).requiresGradient)
      withGradients { #expect((x * 2).requiresGradient) }
      withoutGradients {}
      #expect(!(x * 2).requiresGradient)
    }
    #expect((x * 2).requiresGradient)
    let inferred = withInference {
      withInference {}
      withGradients {}
      return x * 2
    }
    #expect(!inferred.requiresGradient)
    #expect((x * 2).requiresGradient)
  }

  @Test func modesEndWhenTheirBodyThrows() throws {
    struct Stop: Error {}
    let x = leaf([1])
    #expect(throws: Stop.self) { try withoutGradients { throw Stop() } }
    #expect(throws: Stop.self) { try withInference { throw Stop() } }
    #expect(throws: Stop.self) { try withAutocast(.cpu) { throw Stop() } }
    #expect((x * 2).requiresGradient)
    let matrix = Tensor.ones([2, 2])
    #expect(try withTensorErrors { matrix.mm(matrix) }.dtype == .float32)
  }

  @Test func resultsOfInferenceCannotBeTrained() throws {
    let inferred = withInference { Tensor([1.0, 2.0]) * 2 }
    let x = leaf([1, 1])
    #expect(throws: TensorError.self) { try withTensorErrors { (x * inferred).sum().backward() } }
    #expect(try inferred.scalars(Double.self) == [2, 4])
  }

  @Test func autocastComputesProductsInTheGivenType() throws {
    let matrix = Tensor.ones([4, 4])
    let cast = try withTensorErrors { withAutocast(.cpu, dtype: .bfloat16) { matrix.mm(matrix) } }
    #expect(cast.dtype == .bfloat16)
    #expect(try withTensorErrors { withAutocast(.cpu, enabled: false) { matrix.mm(matrix) } }.dtype == .float32)
    #expect(try withTensorErrors { matrix.mm(matrix) }.dtype == .float32)
  }

  @Test("analytic gradients agree with central differences", arguments: ["silu", "gelu", "softmax", "layerNorm", "rmsNorm", "attention"])
  func differences(_ name: String) throws {
    func apply(_ x: Tensor) -> Tensor {
      switch name {
      case "silu": x.silu()
      case "gelu": x.gelu(approximate: "tanh")
      case "softmax": x.softmax(-1)
      case "layerNorm": x.layerNorm([3])
      case "rmsNorm": x.rmsNorm([3], eps: 1e-6)
      default:
        x.reshape([1, 1, 2, 3]).scaledDotProductAttention((x * 0.7).reshape([1, 1, 2, 3]), value: x.cos().reshape([1, 1, 2, 3])).reshape([
          2, 3,
        ])
      }
    }
    let weights = Tensor([0.3, -1.1, 0.6, 2.0, -0.4, 0.9], shape: [2, 3])
    func value(_ numbers: [Double]) throws -> Double {
      try withTensorErrors { (apply(Tensor(numbers, shape: [2, 3])) * weights).sum() }.item()
    }
    let numbers = [0.5, -1.3, 0.2, 1.7, 0.1, -0.6]
    let x = Tensor(numbers, shape: [2, 3])
    x.setRequiresGradient(true)
    try withTensorErrors { (apply(x) * weights).sum().backward() }
    let gradient = try #require(x.gradient).scalars(Double.self)
    for index in numbers.indices {
      var (up, down) = (numbers, numbers)
      up[index] += 1e-5
      down[index] -= 1e-5
      #expect(abs((try value(up) - value(down)) / 2e-5 - gradient[index]) < 1e-8, "\(name), element \(index)")
    }
  }
}
