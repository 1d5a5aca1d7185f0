import QuickstepTensor

/// A product and a convolution whose results are known, and how fast the machine multiplies.
struct ArithmeticCheck {
  /// What came out wrong, if anything.
  var failure: String?
  /// Billions of floating-point operations per second of a 1024³ product in float32.
  var gigaflops = 0.0

  static func run() -> ArithmeticCheck {
    do {
      return try withTensorErrors {
        try withInference { ArithmeticCheck(failure: try productFailure() ?? convolutionFailure(), gigaflops: try speed()) }
      }
    } catch {
      return ArithmeticCheck(failure: "\(error)")
    }
  }

  /// Row i of the left matrix is i, column j of the right one j: the product of n terms is n·i·j, exact in float32.
  private static func productFailure() throws -> String? {
    let size = 64
    let numbers = Tensor((0..<size).map { Float($0) })
    let left = numbers.unsqueeze(1).expand([size, size])
    let product = try left.matmul(left.transposed).scalars(Float.self)
    for row in 0..<size {
      for column in 0..<size where product[row * size + column] != Float(size * row * column) {
        return "a matrix product gave \(product[row * size + column]) where \(size * row * column) is right"
      }
    }
    return nil
  }

  /// Ones convolved with 3×3 ones count the pixels inside: 9 per channel within, 6 at an edge, 4 at a corner.
  private static func convolutionFailure() throws -> String? {
    let (channels, side) = (16, 12)
    let result = try Tensor.ones([1, channels, side, side]).conv2d(Tensor.ones([8, channels, 3, 3]), padding: [1, 1]).scalars(Float.self)
    func reach(_ position: Int) -> Int { position == 0 || position == side - 1 ? 2 : 3 }
    for (index, value) in result.enumerated() {
      let expected = Float(channels * reach(index % side) * reach(index / side % side))
      if value != expected { return "a convolution gave \(value) where \(expected) is right" }
    }
    return nil
  }

  private static func speed() throws -> Double {
    let size = 1024
    let generator = try Generator(seed: 0)
    let (left, right) = (Tensor.randn([size, size], generator: generator), Tensor.randn([size, size], generator: generator))
    var least = Double.infinity
    // The best of several: other programs can only make it slower.
    for _ in 0..<8 {
      let start = ContinuousClock.now
      let product = left.matmul(right)
      try product.checkDefined("product")
      least = min(least, start.duration(to: .now) / .seconds(1))
    }
    return 2e-9 * Double(size * size * size) / least
  }
}
