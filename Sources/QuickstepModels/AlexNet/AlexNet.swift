public import QuickstepNN
public import QuickstepTensor

/// The convolutions of AlexNet in its one-column form (Krizhevsky 2014, arXiv 1404.5997), tensor names as in torchvision's `alexnet`. The classifier
/// behind them is not part of it.
public struct AlexNet: Sendable {
  /// Channels of what ``layers(_:)`` gives.
  public static let channels = [64, 192, 384, 256, 256]
  private let convolutions: [Convolution]

  /// Parameters are taken from the scopes `features.0`, `.3`, `.6`, `.8` and `.10`.
  public init(_ weights: Weights) {
    let features = weights["features"]
    convolutions = [
      Convolution(features[0], 3, 64, kernel: 11, stride: 4, padding: 2), Convolution(features[3], 64, 192, kernel: 5),
      Convolution(features[6], 192, 384, kernel: 3), Convolution(features[8], 384, 256, kernel: 3),
      Convolution(features[10], 256, 256, kernel: 3),
    ]
  }

  /// Maps after each convolution's ReLU, `[B, C, h, w]`.
  /// - Parameter input: `[B, 3, H, W]`, normalised as torchvision's pictures.
  public func layers(_ input: Tensor) -> [Tensor] {
    var hidden = input
    return convolutions.enumerated().map { index, convolution in
      // The first two are pooled before the next one takes them.
      if index == 1 || index == 2 { hidden = hidden.maxPool2d([3, 3], stride: [2, 2]) }
      hidden = convolution(hidden).relu()
      return hidden
    }
  }
}
