public import QuickstepNN
public import QuickstepTensor

/// Inception v3 (Szegedy et al. 2015, arXiv 1512.00567) as the literature's Fréchet inception distance uses it: the layout and names of pytorch-fid's
/// port of the 2015 TensorFlow graph, up to the mean over positions. Against torchvision's `inception_v3` it averages without counting padding, and
/// its last block takes maxima instead.
public struct InceptionV3: Sendable {
  /// Features of a picture.
  public static let featureCount = 2048
  private let entry: [ScaledConvolution]
  private let middle: [ScaledConvolution]
  private let blocks: [InceptionBlock]

  /// Parameters are taken from the root scope of the port (`Conv2d_1a_3x3` … `Mixed_7c`); the scores' layer `fc` is not read.
  public init(_ weights: Weights) {
    func layer(_ name: String, _ input: Int, _ output: Int, _ kernel: Int, stride: Int = 1, padding: Int = 0) -> ScaledConvolution {
      ScaledConvolution(weights[name], input, output, [kernel, kernel], stride: stride, padding: [padding, padding])
    }
    entry = [layer("Conv2d_1a_3x3", 3, 32, 3, stride: 2), layer("Conv2d_2a_3x3", 32, 32, 3), layer("Conv2d_2b_3x3", 32, 64, 3, padding: 1)]
    middle = [layer("Conv2d_3b_1x1", 64, 80, 1), layer("Conv2d_4a_3x3", 80, 192, 3)]
    blocks =
      zip(["b", "c", "d"], [(192, 32), (256, 64), (288, 64)]).map { .fine(weights["Mixed_5\($0)"], $1.0, pooled: $1.1) }
      + [.reducingFine(weights["Mixed_6a"], 288)]
      + zip(["b", "c", "d", "e"], [128, 160, 160, 192]).map { .long(weights["Mixed_6\($0)"], 768, inner: $1) }
      + [.reducingLong(weights["Mixed_7a"], 768)]
      + zip(["b", "c"], [(1280, false), (2048, true)]).map { .wide(weights["Mixed_7\($0)"], $1.0, takesMaxima: $1.1) }
  }

  /// The mean over positions of the last block's maps, `[B, 2048]`: what TensorFlow's graph calls `pool_3`.
  /// - Parameter input: `[B, 3, H, W]` in −1…1, at least 75×75; 299×299 in all published figures.
  public func features(_ input: Tensor) -> Tensor {
    func pooled(_ maps: Tensor) -> Tensor { maps.maxPool2d([3, 3], stride: [2, 2]) }
    let first = pooled(entry.reduce(input) { $1($0) })
    let second = pooled(middle.reduce(first) { $1($0) })
    return blocks.reduce(second) { $1($0) }.mean([2, 3])
  }
}

/// A convolution without bias, normalised by stored statistics, and ReLU; kernels need not be square.
struct ScaledConvolution: Sendable {
  private let weight: Tensor
  private let scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor
  private let stride: Int
  private let padding: [Int]

  init(_ weights: Weights, _ input: Int, _ output: Int, _ kernel: [Int], stride: Int = 1, padding: [Int] = [0, 0]) {
    weight = weights["conv"].parameter("weight", [output, input] + kernel, initial: .fanIn(input * kernel[0] * kernel[1]))
    let norm = weights["bn"]
    scale = norm.parameter("weight", [output], initial: .ones)
    shift = norm.parameter("bias", [output], initial: .zeros)
    mean = norm.parameter("running_mean", [output], initial: .zeros)
    variance = norm.parameter("running_var", [output], initial: .ones)
    self.stride = stride
    self.padding = padding
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    input.conv2d(weight, stride: [stride, stride], padding: padding).batchNorm(
      weight: scale, bias: shift, runningMean: mean, runningVar: variance, training: false, momentum: 0, eps: 0.001, cudnnEnabled: true
    ).relu()
  }
}
