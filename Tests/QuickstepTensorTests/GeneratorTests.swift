import QuickstepTensor
import Testing

/// Golden values of torch 2.11's CPU generator.
@Suite struct GeneratorTests {
  private func first(_ tensor: Tensor, _ n: Int) throws -> [Double] {
    Array(try tensor.to(.float64).reshape([-1]).scalars(Double.self).prefix(n))
  }
  private func close(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-6) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }
  }

  @Test func fewNormals() throws {
    #expect(close(try first(.randn([4], generator: try Generator(seed: 0)), 4), [1.5409961, -0.2934289, -2.1787894, 0.5684313]))
  }
  @Test func manyNormals() throws {
    let x = try first(.randn([16], generator: try Generator(seed: 0)), 16)
    #expect(close(Array(x.prefix(6)), [-1.1258398, -1.1523602, -0.2505786, -0.4338788, 0.8487104, 0.6920092]))
    #expect(close([x[15]], [-0.2472782]))
  }
  @Test func tailOverlaps() throws {
    let x = try first(.randn([17], generator: try Generator(seed: 0)), 17)
    #expect(close([x[0], x[1], x[16]], [-1.1258398, -1.6959313, 0.9318266]))
  }
  @Test func latentNoise() throws {
    let x = Tensor.randn([1, 4, 64, 64], generator: try Generator(seed: 42))
    #expect(close(try first(x, 4), [1.9269153, 1.4872841, 0.9007172, -2.1055210]))
    #expect(abs(try x.sum().item() - 149.7648) < 1e-3)
  }
  @Test func uniformPermutationAndIntegers() throws {
    #expect(close(try first(.rand([5], generator: try Generator(seed: 0)), 5), [0.4962566, 0.7682218, 0.0884774, 0.1320305, 0.3074228]))
    #expect(try Tensor.randperm(8, generator: try Generator(seed: 0)).scalars(Int.self) == [4, 0, 7, 3, 2, 5, 1, 6])
    #expect(try Tensor.randint(0, high: 100, size: [5], generator: try Generator(seed: 0)).scalars(Int.self) == [44, 39, 33, 60, 63])
  }
  @Test func otherTypesDrawOtherNoise() throws {
    #expect(
      close(
        try first(.randn([16], generator: try Generator(seed: 0), dtype: .bfloat16), 4), [1.4609375, 0.2910156, 0.9609375, 1.5703125], 1e-4)
    )
    #expect(
      close(
        try first(.randn([16], generator: try Generator(seed: 0), dtype: .float16), 4), [-0.9013672, 0.4814453, 1.1982422, 0.90625], 1e-4))
    #expect(
      close(
        try first(.randn([16], generator: try Generator(seed: 0), dtype: .float64), 4), [-2.3104118, -0.3732509, -1.0608168, 0.9995094]))
  }
  @Test func stateContinuesTheStream() throws {
    let generator = try Generator(seed: 7)
    _ = Tensor.randn([100], generator: generator)
    let state = try generator.state()
    let expected = try Tensor.randn([33], generator: generator).scalars(Float.self)
    let other = try Generator(seed: 1)
    try other.restore(state)
    #expect(try Tensor.randn([33], generator: other).scalars(Float.self) == expected)
    #expect(throws: TensorError.self) { try other.restore(Tensor([1, 2, 3] as [UInt8])) }
  }
}
