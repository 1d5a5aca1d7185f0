public import QuickstepNN
public import QuickstepTensor

/// The convolutions of VGG-16 (Simonyan & Zisserman 2014, arXiv 1409.1556, configuration D), tensor names as in torchvision's `vgg16`. The classifier
/// behind them is not part of it.
public struct VGG16: Sendable {
  /// Channels of what ``layers(_:)`` gives.
  public static let channels = [64, 128, 256, 512, 512]
  private static let depths = [2, 2, 3, 3, 3]
  private let blocks: [[Convolution]]

  /// Parameters are taken from the scopes `features.0` to `features.28`; every second place is a ReLU, and each block is followed by a pooling.
  public init(_ weights: Weights) {
    var (place, input) = (0, 3)
    blocks = zip(Self.depths, Self.channels).map { depth, output in
      let block = (0..<depth).map { _ in
        defer { (place, input) = (place + 2, output) }
        return Convolution(weights["features", place], input, output, kernel: 3)
      }
      place += 1
      return block
    }
  }

  /// Maps after the last ReLU of each block, `[B, C, h, w]`.
  /// - Parameter input: `[B, 3, H, W]`, normalised as torchvision's pictures.
  public func layers(_ input: Tensor) -> [Tensor] {
    var hidden = input
    return blocks.enumerated().map { index, block in
      if index > 0 { hidden = hidden.maxPool2d([2, 2], stride: [2, 2]) }
      for convolution in block { hidden = convolution(hidden).relu() }
      return hidden
    }
  }
}
