internal import QuickstepModels
internal import QuickstepNN
public import QuickstepTensor

/// The project's own emoji classifier: which of the taught things a picture shows, and its last hidden layer as a feature space for emoji.
public struct EmojiFeatures: RecognisingNet {
  /// How it is loaded by name.
  public static let loader = EvaluationNetLoader.classifier("emoji-classifier", "The emoji classifier of this project, 64×64 in colour.") {
    try EmojiFeatures(folder: $0, device: $1)
  }

  /// `emoji-classifier`.
  public let name = "emoji-classifier"
  /// As the classifier was configured: 3.
  public let channels: Int
  /// `[64, 64]`.
  public let inputSize: [Int]
  /// Width of the last hidden layer.
  public let featureCount: Int
  /// Where the weights are.
  public let device: Device
  /// Names of the things it was taught.
  public var classNames: [String] { network.configuration.classes }
  /// Of the data set's pictures, by style and of all styles.
  public let realStatistics: [String: GaussianStatistics]
  private let network: EmojiClassifier

  /// Loads a classifier folder (`config.json`, `model.safetensors`, and `statistics.safetensors` where there is one).
  /// - Throws: `FormatError` or `WeightsError` when it cannot be loaded, ``EvaluationError`` when it holds another kind of component.
  public init(folder: String, device: Device = .cpu) throws {
    let loaded = try Architectures.load(folder: folder, device: device)
    guard let network = loaded.component as? EmojiClassifier else {
      throw EvaluationError("\(folder) holds a \(loaded.architecture.className), not an EmojiClassifier")
    }
    (self.network, self.device) = (network, device)
    let configuration = network.configuration
    (channels, featureCount) = (configuration.inChannels, configuration.featureSize)
    inputSize = [configuration.sampleSize, configuration.sampleSize]
    realStatistics = try FeatureStatisticsFile.read(folder: folder, featureCount: configuration.featureSize)
  }

  /// The last hidden layer, `[B, F]`.
  public func evaluate(_ input: Tensor) throws -> Tensor { network(input).features }

  /// Scores of the things, `[B, classes]`.
  public func logits(_ input: Tensor) throws -> Tensor { network(input).logits }
}
