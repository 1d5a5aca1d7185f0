public import QuickstepNN
public import QuickstepTensor

/// Configuration of ``DigitClassifier``, as in its `config.json`.
public struct DigitClassifierConfiguration: Codable, Sendable, Hashable {
  /// Channels of a picture: 1…4096, in JSON `in_channels`.
  public var inChannels: Int
  /// Channels after each convolution, multiples of 8; every convolution is followed by pooling to half the side.
  /// In JSON `block_out_channels`.
  public var channels: [Int]
  /// Length F of the feature vector: 1…65536, in JSON `feature_dim`.
  public var featureSize: Int
  /// Number of classes: 1…1,000,000, in JSON `num_classes`.
  public var classCount: Int

  enum CodingKeys: String, CodingKey {
    case inChannels = "in_channels"
    case channels = "block_out_channels"
    case featureSize = "feature_dim"
    case classCount = "num_classes"
  }

  /// The standard values are those of the classifier behind the digit metrics.
  public init(inChannels: Int = 1, channels: [Int] = [32, 64], featureSize: Int = 128, classCount: Int = 10) {
    self.inChannels = inChannels
    self.channels = channels
    self.featureSize = featureSize
    self.classCount = classCount
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    let numbers =
      [
        ("in_channels", inChannels, 1...4096), ("feature_dim", featureSize, 1...65536), ("num_classes", classCount, 1...1_000_000),
        ("levels", channels.count, 1...12),
      ] + channels.map { ("block_out_channels", $0, 8...65536) }
    return ConfigurationCheck.problem(numbers)
      ?? channels.first { $0 % 8 != 0 }.map { "'block_out_channels' holds \($0), which is no multiple of 8" }
  }
}

/// A small convolutional classifier whose last hidden layer serves as feature space for Fréchet distances on digits.
public struct DigitClassifier: Component {
  /// `pixel_values`, `[B, 1, 28, 28]` in −1…1.
  public static let inputs = ["pixel_values"]
  /// As given to the initialiser.
  public let configuration: DigitClassifierConfiguration
  let convolutions: [Convolution]
  let norms: [GroupNorm]
  let features: Linear
  let head: Linear

  /// - Throws: `ComponentError` when the configuration's numbers make no network.
  public init(_ configuration: DigitClassifierConfiguration, weights: Weights) throws {
    if let problem = configuration.problem { throw ComponentError("DigitClassifier: \(problem)") }
    self.configuration = configuration
    let sizes = [configuration.inChannels] + configuration.channels
    convolutions = configuration.channels.indices.map { Convolution(weights["convs", $0], sizes[$0], sizes[$0 + 1], kernel: 3) }
    norms = configuration.channels.indices.map { GroupNorm(weights["norms", $0], groups: 8, channels: sizes[$0 + 1]) }
    features = Linear(weights["features"], (sizes.last ?? 1) * 9, configuration.featureSize)
    head = Linear(weights["head"], configuration.featureSize, configuration.classCount)
  }

  /// - Parameter images: `[B, 1, 28, 28]` in −1…1.
  /// - Returns: `features` `[B, F]` (after ReLU) and `logits` `[B, classes]`.
  public func callAsFunction(_ images: Tensor) -> (features: Tensor, logits: Tensor) {
    var hidden = images
    for (convolution, norm) in zip(convolutions, norms) { hidden = norm(convolution(hidden)).relu().maxPool2d([2, 2]) }
    let feature = features(hidden.adaptiveAvgPool2d([3, 3]).flatten(startDim: 1)).relu()
    return (feature, head(feature))
  }

  /// - Returns: `logits` `[B, classes]` and `features` `[B, F]`.
  /// - Throws: ``ComponentError`` for missing and unknown names; `TensorError` when the shape does not fit.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let images = try required("pixel_values", of: inputs)
    return try withTensorErrors {
      let result = self(images)
      return ["logits": result.logits, "features": result.features]
    }
  }
}
