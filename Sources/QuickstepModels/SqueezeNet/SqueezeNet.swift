public import QuickstepNN
public import QuickstepTensor

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

/// SqueezeNet (Iandola et al. 2016, arXiv:1602.07360), tensor names as in torchvision's `squeezenet1_0` and `squeezenet1_1`.
public struct SqueezeNet: Sendable {
  /// Which of the two networks.
  public enum Version: Sendable {
    /// The paper's, table 1.
    case v1_0
    /// The authors' later one, with a smaller entry and earlier pooling.
    case v1_1

    /// Of the first convolution.
    var entry: (channels: Int, kernel: Int) { self == .v1_0 ? (96, 7) : (64, 3) }
    /// Places of pooling and fire modules in torchvision's `nn.Sequential`, from 2.
    var pools: Set<Int> { self == .v1_0 ? [2, 6, 11] : [2, 5, 8] }
  }

  private static let fires = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]

  private let entry: Convolution
  /// `nil` is a pooling step.
  private let trunk: [FireModule?]
  private let classifier: Convolution?

  /// - Parameters:
  ///   - weights: the scope of `features` and `classifier`.
  ///   - version: which network.
  ///   - hasClassifier: whether the scores' layer is read; without it those weights have to be ignored.
  public init(_ weights: Weights, version: Version = .v1_0, hasClassifier: Bool = true) {
    let (width, kernel) = version.entry
    entry = Convolution(weights["features", 0], 3, width, kernel: kernel, stride: 2, padding: 0)
    var channels = width
    var fires = Self.fires[...]
    trunk = (2...12).map { place in
      guard !version.pools.contains(place), let (squeeze, expand) = fires.popFirst() else { return nil }
      defer { channels = 2 * expand }
      return FireModule(weights["features", place], channels, squeeze: squeeze, expand: expand)
    }
    // The padding of 1 is a peculiarity of the original Caffe network; torchvision has none. It adds a border to the maps of classes.
    classifier = hasClassifier ? Convolution(weights["classifier", 1], 512, 1000, kernel: 1, padding: 1) : nil
  }

  /// Maps after the last fire module, `[B, 512, h, w]`.
  public func maps(_ input: Tensor) -> Tensor { layers(input).last ?? .undefined }

  /// Maps after the first convolution and after every fire module, `[B, C, h, w]` each.
  public func layers(_ input: Tensor) -> [Tensor] { steps(input).filter { !$0.isPooling }.map(\.maps) }

  /// Maps from which LPIPS takes its distances (version 1.1): after the entry, before the second and third pooling, and after each of the last four modules.
  public static let perceptualChannels = [64, 128, 256, 384, 384, 512, 512]

  /// See ``perceptualChannels``.
  public func perceptualLayers(_ input: Tensor) -> [Tensor] {
    // Places in torchvision's sequence whose output counts: 1 (entry), 4, 7, 9, 10, 11, 12.
    let steps = steps(input)
    return [0, 3, 6, 8, 9, 10, 11].map { steps[$0].maps }
  }

  /// ImageNet scores `[B, 1000]` from the maps; undefined without a classifier.
  public func logits(_ maps: Tensor) -> Tensor { classifier.map { $0(maps).relu().mean([2, 3]) } ?? .undefined }

  private func steps(_ input: Tensor) -> [(maps: Tensor, isPooling: Bool)] {
    var hidden = entry(input).relu()
    var steps = [(maps: hidden, isPooling: false)]
    for module in trunk {
      // Pooling rounds sizes up, as Caffe does.
      hidden = module.map { $0(hidden) } ?? hidden.maxPool2d([3, 3], stride: [2, 2], ceilMode: true)
      steps.append((hidden, module == nil))
    }
    return steps
  }
}
