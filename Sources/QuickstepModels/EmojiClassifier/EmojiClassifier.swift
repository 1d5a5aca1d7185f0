public import QuickstepNN
public import QuickstepTensor

/// Configuration of ``EmojiClassifier``, as in its `config.json`.
public struct EmojiClassifierConfiguration: Codable, Sendable, Hashable {
  /// Channels of a picture: 1…4096, in JSON `in_channels`.
  public var inChannels: Int
  /// Side of the square pictures: a multiple of 2 to the number of levels, in JSON `sample_size`.
  public var sampleSize: Int
  /// Channels of each level, multiples of 8; each has half the side of the one before. In JSON `block_out_channels`.
  public var channels: [Int]
  /// Length F of the feature vector: 1…65536, in JSON `feature_dim`.
  public var featureSize: Int
  /// Names of the things it tells apart, in JSON `class_names`.
  public var classes: [String]
  /// Names of the styles it tells apart, in JSON `style_names`.
  public var styles: [String]

  enum CodingKeys: String, CodingKey {
    case inChannels = "in_channels"
    case sampleSize = "sample_size"
    case channels = "block_out_channels"
    case featureSize = "feature_dim"
    case classes = "class_names"
    case styles = "style_names"
  }

  /// The numbers are checked when an ``EmojiClassifier`` is made from them.
  public init(
    inChannels: Int = 3, sampleSize: Int = 64, channels: [Int] = [24, 48, 96, 128], featureSize: Int = 64, classes: [String],
    styles: [String]
  ) {
    (self.inChannels, self.sampleSize, self.channels) = (inChannels, sampleSize, channels)
    (self.featureSize, self.classes, self.styles) = (featureSize, classes, styles)
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    let numbers =
      [
        ("in_channels", inChannels, 1...4096), ("sample_size", sampleSize, 2...4096), ("feature_dim", featureSize, 1...65536),
        ("number of class_names", classes.count, 2...1_000_000), ("number of style_names", styles.count, 1...1_000_000),
        ("levels", channels.count, 1...10),
      ] + channels.map { ("block_out_channels", $0, 8...65536) }
    if let problem = ConfigurationCheck.problem(numbers) { return problem }
    if let odd = channels.first(where: { $0 % 8 != 0 }) { return "'block_out_channels' holds \(odd), which is no multiple of 8" }
    let factor = 1 << channels.count
    guard sampleSize % factor == 0 else {
      return "'sample_size' is \(sampleSize), which is no multiple of \(factor) for \(channels.count) levels"
    }
    return Set(classes).count == classes.count ? nil : "'class_names' holds a name twice"
  }
}

/// A small residual network that tells which thing a picture shows and in which style; its last hidden layer is a feature space for pictures of
/// that kind, as the digit classifier's is for digits.
///
/// The features are a linear map of the pooled last level, without activation, so that their distribution is not far from a Gaussian's, which
/// Fréchet distances take them for.
public struct EmojiClassifier: Component {
  /// `pixel_values`, `[B, C, H, W]` in −1…1.
  public static let inputs = ["pixel_values"]
  /// As given to the initialiser.
  public let configuration: EmojiClassifierConfiguration
  private let levels: [Level]
  private let features, head, styleHead: Linear

  /// A convolution to half the side and a residual pair.
  private struct Level: Sendable {
    let down, first, second: Convolution
    let norms: [GroupNorm]

    init(_ weights: Weights, _ input: Int, _ output: Int) {
      down = Convolution(weights["down"], input, output, kernel: 3, stride: 2)
      first = Convolution(weights["conv1"], output, output, kernel: 3)
      second = Convolution(weights["conv2"], output, output, kernel: 3)
      norms = (0..<3).map { GroupNorm(weights["norms", $0], groups: 8, channels: output) }
    }

    func callAsFunction(_ input: Tensor) -> Tensor {
      let base = norms[0](down(input)).silu()
      return (base + norms[2](second(norms[1](first(base)).silu()))).silu()
    }
  }

  /// - Throws: ``ComponentError`` when the configuration's numbers make no network.
  public init(_ configuration: EmojiClassifierConfiguration, weights: Weights) throws {
    if let problem = configuration.problem { throw ComponentError("EmojiClassifier: \(problem)") }
    self.configuration = configuration
    let sizes = [configuration.inChannels] + configuration.channels
    levels = configuration.channels.indices.map { Level(weights["levels", $0], sizes[$0], sizes[$0 + 1]) }
    features = Linear(weights["features"], sizes[sizes.count - 1], configuration.featureSize)
    head = Linear(weights["head"], configuration.featureSize, configuration.classes.count)
    styleHead = Linear(weights["style_head"], configuration.featureSize, configuration.styles.count)
  }

  /// - Parameter pictures: `[B, C, H, W]` in −1…1.
  /// - Returns: `features` `[B, F]`, `logits` of the things `[B, classes]` and of the styles `[B, styles]`.
  public func callAsFunction(_ pictures: Tensor) -> (features: Tensor, logits: Tensor, styles: Tensor) {
    var hidden = pictures
    for level in levels { hidden = level(hidden) }
    let feature = features(hidden.mean([2, 3]))
    return (feature, head(feature), styleHead(feature))
  }

  /// - Returns: `logits` `[B, classes]`, `style_logits` `[B, styles]` and `features` `[B, F]`.
  /// - Throws: ``ComponentError`` for missing and unknown names; `TensorError` when the shape does not fit.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let pictures = try required("pixel_values", of: inputs)
    return try withTensorErrors {
      let result = self(pictures)
      return ["logits": result.logits, "style_logits": result.styles, "features": result.features]
    }
  }
}
