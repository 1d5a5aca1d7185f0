internal import QuickstepModels
internal import QuickstepNN
public import QuickstepTensor

/// The project's own digit classifier: class scores, and its last hidden layer as a feature space for digits of 28×28 pixels.
public struct DigitFeatures: RecognisingNet {
  /// How it is loaded by name.
  public static let loader = EvaluationNetLoader.classifier("digit-classifier", "The digit classifier of this project, 28×28 grey.") {
    try DigitFeatures(folder: $0, device: $1)
  }

  /// `digit-classifier`.
  public let name = "digit-classifier"
  /// As the classifier was configured: 1.
  public let channels: Int
  /// `[28, 28]`.
  public let inputSize = [28, 28]
  /// Width of the last hidden layer.
  public let featureCount: Int
  /// Where the weights are.
  public let device: Device
  /// Number of classes.
  public let classCount: Int
  /// `0` to `9`.
  public var classNames: [String] { (0..<classCount).map(String.init) }
  /// Of MNIST's training pictures.
  public let realStatistics: [String: GaussianStatistics]
  private let network: DigitClassifier

  /// Loads a classifier folder (`config.json`, `model.safetensors`).
  /// - Throws: `FormatError` or `WeightsError` when it cannot be loaded, ``EvaluationError`` when it holds another kind of component.
  public init(folder: String, device: Device = .cpu) throws {
    let loaded = try Architectures.load(folder: folder, device: device)
    guard let network = loaded.component as? DigitClassifier else {
      throw EvaluationError("\(folder) holds a \(loaded.architecture.className), not a DigitClassifier")
    }
    self.network = network
    self.device = device
    channels = network.configuration.inChannels
    featureCount = network.configuration.featureSize
    classCount = network.configuration.classCount
    realStatistics = try FeatureStatisticsFile.read(folder: folder, featureCount: network.configuration.featureSize)
  }

  /// The last hidden layer after ReLU, `[B, F]`.
  public func evaluate(_ input: Tensor) throws -> Tensor { network(input).features }

  /// Scores of the digits, `[B, classes]`.
  public func logits(_ input: Tensor) throws -> Tensor { network(input).logits }

  /// The most probable class of each picture.
  /// - Parameters:
  ///   - images: `[N, 1, 28, 28]` in −1…1.
  ///   - batch: pictures per evaluation.
  /// - Returns: N class numbers.
  /// - Throws: as ``FeatureNet/features(_:batch:progress:)``.
  public func classes(_ images: Tensor, batch: Int = 250) throws -> [Int] {
    let scores = try inBatches(images, batch: batch) { try logits($0) }
    return try withTensorErrors { scores.argmax(-1) }.scalars(Int.self)
  }
}
