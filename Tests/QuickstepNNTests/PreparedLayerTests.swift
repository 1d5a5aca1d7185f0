import QuickstepNN
import QuickstepTensor
import Testing

@Suite(.enabled(if: LayerPreparation.isAvailable, "needs AVX2 and FMA"))
struct PreparedLayerTests {
  /// At 8×8 one sample has four tiles of 4×4 and three samples have twelve: the choice of tiles must not look at the batch.
  @Test(arguments: ConvolutionMethod.allCases)
  func aSampleDoesNotDependOnItsBatch(method: ConvolutionMethod) throws {
    let generator = try Generator(seed: 5)
    let input = Tensor.randn([3, 16, 8, 8], generator: generator)
    let source = TensorDictionary(["weight": .randn([40, 16, 3, 3], generator: generator), "bias": .randn([40], generator: generator)])
    let layer = try Weights.load(from: source, preparation: LayerPreparation(convolution: method)) {
      Convolution($0, 16, 40, kernel: 3)
    }.model
    try withTensorErrors {
      let together = layer(input)
      for index in 0..<3 {
        let alone = layer(input.narrow(0, start: index, length: 1)).contiguous()
        let expected = together.narrow(0, start: index, length: 1).contiguous()
        let (left, right) = (try alone.scalars(Float.self), try expected.scalars(Float.self))
        #expect(left == right)
      }
    }
  }
}
