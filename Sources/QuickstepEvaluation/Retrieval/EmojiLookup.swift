public import QuickstepFormats
import QuickstepNN
public import QuickstepTensor

/// Real emoji as a judge: a picture shows the thing whose real pictures it is most like, in any style, in a network's features.
///
/// No model of this project learned to please it, unlike the classifier, which learned from the pictures the emoji models learned from. The
/// scores are those of ``EmojiRetrieval``.
public struct EmojiLookup: RecognisingNet {
  /// How it is loaded by name.
  public static let loader = EvaluationNetLoader(
    "emoji-retrieval", "SqueezeNet's features beside those of real emoji: which thing's pictures a picture is most like.",
    provides: [.recognition],
    parameters: [
      .path("path", "SqueezeNet's weight file or its folder; without it the data location"),
      ParameterDeclaration(
        name: "groups", summary: "groups of things it knows, separated by '/'; empty for all", domain: .text("names"), standard: .text("")),
      ParameterDeclaration(
        name: "styles", summary: "styles it knows, separated by '/'; empty for all", domain: .text("names"), standard: .text("")),
    ]
  ) { values, device in
    func list(_ name: String) -> [String] { (values.text(name) ?? "").split(separator: "/").map(String.init) }
    let dataset = try EmojiDataset(path: try DataLocation.find("emoji64"))
    return try Self(
      dataset: dataset, selection: EmojiSelection(groups: list("groups"), styles: list("styles")),
      net: try SqueezeNetFeatures(path: values.text("path"), device: device))
  }

  /// `emoji-retrieval`.
  public let name = "emoji-retrieval"
  public let classNames: [String]
  /// Empty: its features are too many for a covariance of some hundred pictures.
  public let realStatistics: [String: GaussianStatistics] = [:]
  private let net: any FeatureNet
  /// Unit vectors of the known pictures, `[N, F]`.
  private let directions: Tensor
  /// By thing the rows of its pictures, filled up by its first one to a common number, as one list.
  private let rows: Tensor
  private let rowsPerClass: Int

  /// Decodes the real pictures and computes their features: SqueezeNet takes about 0.1 s per picture on one CPU core.
  /// - Parameter selection: the pictures it knows.
  /// - Throws: ``EvaluationError`` when the selection does not fit the data set; `FormatError`; `TensorError`.
  public init(dataset: EmojiDataset, selection: EmojiSelection, net: any FeatureNet, batch: Int = 16) throws {
    let known = try selection.rows(of: dataset)
    try self.init(features: try EmojiRetrieval.features(of: known, in: dataset, net: net, batch: batch), names: known.map(\.name), net: net)
  }

  /// - Parameters:
  ///   - features: `[N, F]`, one row per known picture.
  ///   - names: of the things they show.
  ///   - net: whose features they are.
  /// - Throws: ``EvaluationError`` for counts that do not fit, no pictures, and features that point nowhere.
  init(features: Tensor, names: [String], net: any FeatureNet) throws {
    try Checks.features(features, "the features of known pictures")
    guard features.size(0) == names.count else { throw EvaluationError("\(features.size(0)) rows of features and \(names.count) names") }
    let groups = Dictionary(grouping: names.indices) { names[$0] }
    classNames = groups.keys.sorted()
    let most = groups.values.map(\.count).max() ?? 1
    rows = Tensor(classNames.flatMap { name in (0..<most).map { (groups[name] ?? [])[$0 < groups[name]?.count ?? 0 ? $0 : 0] } })
    (rowsPerClass, self.net) = (most, net)
    directions = try Self.directions(features)
  }

  private static func directions(_ features: Tensor) throws -> Tensor {
    try withTensorErrors { features.to(.float32) / features.to(.float32).vectorNorm(dim: [1], keepdim: true).clamp(min: 1e-12) }
  }

  public var channels: Int { net.channels }
  public var inputSize: [Int] { net.inputSize }
  public var featureCount: Int { net.featureCount }
  public var device: Device { net.device }
  public var preprocessing: String { net.preprocessing }
  public func check(_ shape: [Int]) throws { try net.check(shape) }
  public func preprocess(_ images: Tensor) -> Tensor { net.preprocess(images) }
  public func evaluate(_ input: Tensor) throws -> Tensor { try net.evaluate(input) }

  /// The largest cosine similarity to any picture of each thing, `[B, classes]`.
  public func logits(_ input: Tensor) throws -> Tensor {
    let queries = try Self.directions(try net.evaluate(input))
    return try withTensorErrors {
      let similarities = queries.matmul(directions.transposed)
      return similarities.indexSelect(1, index: rows.to(device)).reshape([-1, classNames.count, rowsPerClass]).amax([2])
    }
  }
}
