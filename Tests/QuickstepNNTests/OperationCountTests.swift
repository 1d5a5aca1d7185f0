import QuickstepNN
import QuickstepTensor
import Testing

@Suite struct OperationCountTests {
  private func count(_ work: () throws -> Tensor) throws -> Double {
    try OperationCount.measure { try withTensorErrors { try work() } }.count
  }

  @Test("products, convolutions and attention by libtorch's operators")
  func operators() throws {
    let (a, b) = (Tensor.ones([5, 3, 4]), Tensor.ones([4, 7]))
    #expect(try count { a.matmul(b) } == 5 * 3 * 7 * 4)
    #expect(try count { a.bmm(.ones([5, 4, 2])) } == 5 * 3 * 2 * 4)
    #expect(try count { a.linear(.ones([6, 4]), bias: .ones([6])) } == 5 * 3 * 6 * 4)
    #expect(try count { Tensor.ones([6]).addmm(.ones([2, 3]), mat2: .ones([3, 6])) } == 2 * 3 * 6)
    let picture = Tensor.ones([2, 4, 9, 8])
    #expect(try count { picture.conv2d(.ones([6, 2, 3, 3]), padding: [1, 1], groups: 2) } == Double(2 * 6 * 9 * 8 * 2 * 9))
    #expect(try count { picture.convTranspose2d(.ones([4, 5, 2, 2]), stride: [2, 2]) } == Double(2 * 4 * 9 * 8 * 5 * 4))
    let heads = Tensor.ones([2, 3, 10, 4])
    let keys = Tensor.ones([2, 3, 12, 4])
    #expect(try count { heads.scaledDotProductAttention(keys, value: keys) } == Double(2 * 2 * 3 * 10 * 12 * 4))
    #expect(try count { a + 1 } == 0)
    #expect(try count { a.matmul(b) } == 420, "every count begins at zero")
  }

  @Test("the package's own kernels count what libtorch's operators do", .enabled(if: LayerPreparation.isAvailable))
  func kernels() throws {
    let generator = try Generator(seed: 5)
    let picture = Tensor.randn([3, 16, 8, 8], generator: generator)
    let kernels = TensorDictionary(["weight": .randn([40, 16, 3, 3], generator: generator), "bias": .randn([40], generator: generator)])
    for method in ConvolutionMethod.allCases {
      let layer = try Weights.load(from: kernels, preparation: LayerPreparation(convolution: method)) {
        Convolution($0, 16, 40, kernel: 3)
      }.model
      #expect(try count { layer(picture) } == Double(3 * 40 * 8 * 8 * 16 * 9), "\(method) counts as the direct one")
    }
    let matrix = TensorDictionary(["weight": .randn([12, 16], generator: generator), "bias": .randn([12], generator: generator)])
    let linear = try Weights.load(from: matrix, preparation: LayerPreparation()) { Linear($0, 16, 12) }.model
    #expect(try count { linear(.ones([5, 7, 16])) } == Double(5 * 7 * 12 * 16))
    let attention = try Weights.load(from: matrix, preparation: LayerPreparation()) { weights in
      _ = Linear(weights, 16, 12)
      return ScaledAttention(weights)
    }.model
    let (queries, keys) = (Tensor.ones([2, 10, 3, 8]), Tensor.ones([2, 12, 3, 8]))
    #expect(try count { attention(queries, keys, keys) } == Double(2 * 2 * 3 * 10 * 12 * 8))
  }
}
