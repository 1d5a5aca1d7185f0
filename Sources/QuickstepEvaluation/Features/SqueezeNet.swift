internal import QuickstepNN
internal import QuickstepTensor

/// Squeeze to few channels, then expand by a 1×1 and a 3×3 convolution side by side. `[B, in, H, W] → [B, 2·expand, H, W]`.
struct FireModule: Sendable {
  let squeeze: Convolution
  let expandOne: Convolution
  let expandThree: Convolution

  init(_ weights: Weights, _ input: Int, squeeze: Int, expand: Int) {
    self.squeeze = Convolution(weights["squeeze"], input, squeeze, kernel: 1)
    expandOne = Convolution(weights["expand1x1"], squeeze, expand, kernel: 1)
    expandThree = Convolution(weights["expand3x3"], squeeze, expand, kernel: 3)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let squeezed = squeeze(input).relu()
    return Tensor.cat([expandOne(squeezed).relu(), expandThree(squeezed).relu()], dim: 1)
  }
}

/// SqueezeNet 1.0 (Iandola et al. 2016, arXiv:1602.07360, table 1), tensor names as in torchvision's `squeezenet1_0`.
struct SqueezeNet: Sendable {
  /// A step of the trunk; fire modules carry their place in torchvision's `nn.Sequential`.
  private enum Step {
    case pool
    case fire(Int, squeeze: Int, expand: Int)
  }

  private static let plan: [Step] = [
    .pool, .fire(3, squeeze: 16, expand: 64), .fire(4, squeeze: 16, expand: 64), .fire(5, squeeze: 32, expand: 128),
    .pool, .fire(7, squeeze: 32, expand: 128), .fire(8, squeeze: 48, expand: 192), .fire(9, squeeze: 48, expand: 192),
    .fire(10, squeeze: 64, expand: 256), .pool, .fire(12, squeeze: 64, expand: 256),
  ]

  let entry: Convolution
  /// `nil` is a pooling step.
  let trunk: [FireModule?]
  let classifier: Convolution

  init(_ weights: Weights) {
    entry = Convolution(weights["features", 0], 3, 96, kernel: 7, stride: 2, padding: 0)
    var channels = 96
    trunk = Self.plan.map { step in
      guard case .fire(let place, let squeeze, let expand) = step else { return nil }
      defer { channels = 2 * expand }
      return FireModule(weights["features", place], channels, squeeze: squeeze, expand: expand)
    }
    // The padding of 1 is a peculiarity of the original Caffe network; torchvision has none. It adds a border to the maps of classes.
    classifier = Convolution(weights["classifier", 1], 512, 1000, kernel: 1, padding: 1)
  }

  /// Maps after the last fire module, `[B, 512, h, w]`.
  func maps(_ input: Tensor) -> Tensor { layers(input).last ?? .undefined }

  /// Maps after the first convolution and after every fire module, `[B, C, h, w]` each.
  func layers(_ input: Tensor) -> [Tensor] {
    var hidden = entry(input).relu()
    var layers = [hidden]
    for module in trunk {
      // Pooling rounds sizes up, as Caffe does.
      hidden = module.map { $0(hidden) } ?? hidden.maxPool2d([3, 3], stride: [2, 2], ceilMode: true)
      if module != nil { layers.append(hidden) }
    }
    return layers
  }

  /// ImageNet scores `[B, 1000]` from the maps.
  func logits(_ maps: Tensor) -> Tensor { classifier(maps).relu().mean([2, 3]) }
}
