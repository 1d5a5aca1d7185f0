internal import QuickstepNN
internal import QuickstepTensor

/// Branches side by side, joined along the channels.
struct InceptionBlock: Sendable {
  /// What a branch does to the maps before its convolutions.
  enum Pooling: Sendable {
    case none
    /// Means of 3×3 that do not count the padding.
    case mean
    /// Maxima of 3×3 with padding.
    case maximum
    /// Maxima of 3×3 that halve the size.
    case halving
  }

  /// Convolutions in a row; after them the maps may be split among several more, side by side.
  struct Branch: Sendable {
    var pooling = Pooling.none
    var row: [ScaledConvolution] = []
    var fork: [ScaledConvolution] = []

    func callAsFunction(_ input: Tensor) -> [Tensor] {
      let maps = row.reduce(pooled(input)) { $1($0) }
      return fork.isEmpty ? [maps] : fork.map { $0(maps) }
    }

    private func pooled(_ input: Tensor) -> Tensor {
      switch pooling {
      case .none: input
      case .mean: input.avgPool2d([3, 3], stride: [1, 1], padding: [1, 1], countIncludePad: false)
      case .maximum: input.maxPool2d([3, 3], stride: [1, 1], padding: [1, 1])
      case .halving: input.maxPool2d([3, 3], stride: [2, 2])
      }
    }
  }

  private let branches: [Branch]

  func callAsFunction(_ input: Tensor) -> Tensor { Tensor.cat(branches.flatMap { $0(input) }, dim: 1) }

  /// A convolution `name` that keeps the size at stride 1.
  private static func layer(
    _ weights: Weights, _ name: String, _ input: Int, _ output: Int, _ height: Int = 1, _ width: Int? = nil, halves: Bool = false
  ) -> ScaledConvolution {
    let kernel = [height, width ?? height]
    return ScaledConvolution(
      weights[name], input, output, kernel, stride: halves ? 2 : 1, padding: halves ? [0, 0] : kernel.map { $0 / 2 })
  }

  /// 35×35 positions: kernels of 1, 5, twice 3, and means (the paper's figure 5).
  static func fine(_ weights: Weights, _ input: Int, pooled: Int) -> InceptionBlock {
    InceptionBlock(branches: [
      Branch(row: [layer(weights, "branch1x1", input, 64)]),
      Branch(row: [layer(weights, "branch5x5_1", input, 48), layer(weights, "branch5x5_2", 48, 64, 5)]),
      Branch(row: [
        layer(weights, "branch3x3dbl_1", input, 64), layer(weights, "branch3x3dbl_2", 64, 96, 3),
        layer(weights, "branch3x3dbl_3", 96, 96, 3),
      ]),
      Branch(pooling: .mean, row: [layer(weights, "branch_pool", input, pooled)]),
    ])
  }

  /// From 35×35 to 17×17 positions.
  static func reducingFine(_ weights: Weights, _ input: Int) -> InceptionBlock {
    InceptionBlock(branches: [
      Branch(row: [layer(weights, "branch3x3", input, 384, 3, halves: true)]),
      Branch(row: [
        layer(weights, "branch3x3dbl_1", input, 64), layer(weights, "branch3x3dbl_2", 64, 96, 3),
        layer(weights, "branch3x3dbl_3", 96, 96, 3, halves: true),
      ]),
      Branch(pooling: .halving),
    ])
  }

  /// 17×17 positions: kernels of 7 in one direction after the other (figure 6).
  static func long(_ weights: Weights, _ input: Int, inner: Int) -> InceptionBlock {
    InceptionBlock(branches: [
      Branch(row: [layer(weights, "branch1x1", input, 192)]),
      Branch(row: [
        layer(weights, "branch7x7_1", input, inner), layer(weights, "branch7x7_2", inner, inner, 1, 7),
        layer(weights, "branch7x7_3", inner, 192, 7, 1),
      ]),
      Branch(row: [
        layer(weights, "branch7x7dbl_1", input, inner), layer(weights, "branch7x7dbl_2", inner, inner, 7, 1),
        layer(weights, "branch7x7dbl_3", inner, inner, 1, 7), layer(weights, "branch7x7dbl_4", inner, inner, 7, 1),
        layer(weights, "branch7x7dbl_5", inner, 192, 1, 7),
      ]),
      Branch(pooling: .mean, row: [layer(weights, "branch_pool", input, 192)]),
    ])
  }

  /// From 17×17 to 8×8 positions.
  static func reducingLong(_ weights: Weights, _ input: Int) -> InceptionBlock {
    InceptionBlock(branches: [
      Branch(row: [layer(weights, "branch3x3_1", input, 192), layer(weights, "branch3x3_2", 192, 320, 3, halves: true)]),
      Branch(row: [
        layer(weights, "branch7x7x3_1", input, 192), layer(weights, "branch7x7x3_2", 192, 192, 1, 7),
        layer(weights, "branch7x7x3_3", 192, 192, 7, 1), layer(weights, "branch7x7x3_4", 192, 192, 3, halves: true),
      ]),
      Branch(pooling: .halving),
    ])
  }

  /// 8×8 positions: kernels of 3 in both directions side by side (figure 7).
  static func wide(_ weights: Weights, _ input: Int, takesMaxima: Bool) -> InceptionBlock {
    func fork(_ name: String) -> [ScaledConvolution] {
      [layer(weights, name + "a", 384, 384, 1, 3), layer(weights, name + "b", 384, 384, 3, 1)]
    }
    return InceptionBlock(branches: [
      Branch(row: [layer(weights, "branch1x1", input, 320)]),
      Branch(row: [layer(weights, "branch3x3_1", input, 384)], fork: fork("branch3x3_2")),
      Branch(
        row: [layer(weights, "branch3x3dbl_1", input, 448), layer(weights, "branch3x3dbl_2", 448, 384, 3)], fork: fork("branch3x3dbl_3")),
      Branch(pooling: takesMaxima ? .maximum : .mean, row: [layer(weights, "branch_pool", input, 192)]),
    ])
  }
}
