public import QuickstepNN
public import QuickstepTensor
import QuickstepEvaluation
import QuickstepFormats
import QuickstepModels

/// Picture to thing and style on `emoji64`: the feature net behind the emoji models' metrics.
public final class EmojiClassifierTask: TrainingTask {
  /// `emoji-classifier`.
  public static let name = "emoji-classifier"
  /// For lists of tasks.
  public static let summary = "64×64 picture to thing and style, on the emoji64 set; its features serve the emoji models' metrics."

  private let components: ComponentSet
  private let classifier: EmojiClassifier
  private let data: EmojiTrainingData
  private let things, styles: [Int]
  private let device: Device
  /// What telling styles apart counts beside telling things apart.
  private static let styleWeight = 0.3

  /// Needs a component `classifier` of class `EmojiClassifier`, whose names come from the data; an `objective` is not read.
  /// - Throws: ``PlanError`` when it is missing; `FormatError` when the data set is missing or damaged.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    device = context.device
    data = try EmojiTrainingData(plan.data, note: context.note)
    let (names, styleNames) = (Array(Set(data.rows.map(\.name))).sorted(), data.styles)
    let settings: [String: JSONValue] = [
      "class_names": .array(names.map { .string($0) }), "style_names": .array(styleNames.map { .string($0) }),
    ]
    components = try ComponentSet(plan, device: context.device, settings: ["classifier": settings])
    classifier = try components.component("classifier", as: EmojiClassifier.self)
    let places = Dictionary(zip(names, names.indices)) { first, _ in first }
    things = data.rows.map { places[$0.name] ?? 0 }
    styles = data.rows.map { styleNames.firstIndex(of: $0.style) ?? 0 }
  }

  /// Of `classifier.`.
  public var parameters: ParameterTree { components.parameters }
  /// Pictures of the selection in the training split.
  public var sampleCount: Int { data.rows.count }

  /// Cross-entropy in nats per picture of things, and of styles with less weight, on pictures that are moved, blurred and noisy.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    var choices = random.choices
    let pictures = data.pixels.indexSelect(0, index: Tensor(indices)).to(device).to(.float32) / 127.5 - 1
    let result = classifier(try disturbed(pictures, &choices, random.generator))
    let (thing, style) = (Tensor(indices.map { things[$0] }).to(device), Tensor(indices.map { styles[$0] }).to(device))
    return result.logits.crossEntropy(thing) + result.styles.crossEntropy(style) * Self.styleWeight
  }

  /// Generated pictures stand elsewhere, are softer and less clean than drawn ones: the whole batch is moved by up to 6 pixels on its white
  /// ground, half of the batches lose what is finer than two pixels, and each picture gets noise of its own strength.
  private func disturbed(_ pictures: Tensor, _ choices: inout SplitMix64, _ generator: Generator) throws -> Tensor {
    let (height, width) = (pictures.size(2), pictures.size(3))
    let (right, down) = (Int.random(in: -6...6, using: &choices), Int.random(in: -6...6, using: &choices))
    var result = pictures.pad([right, -right, down, -down], value: 1)
    if Bool.random(using: &choices) { result = result.avgPool2d([2, 2]).upsampleNearest2d([height, width]) }
    let strength = Tensor.rand([pictures.size(0), 1, 1, 1], generator: generator).to(device) * 0.2
    return result + Tensor.randn(pictures.shape, generator: generator).to(device) * strength
  }

  /// Writes the folder `classifier`, a component and no pipeline, with the features' mean and covariance over the training pictures of each style
  /// and of all.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
    let own = folder + "/classifier"
    let net = try EmojiFeatures(folder: own, device: device)
    let pictures = try withTensorErrors { data.pixels.to(.float32) / 127.5 - 1 }
    let features = try net.features(pictures, batch: 64)
    var sets = [FeatureStatisticsFile.all: try GaussianStatistics(features: features)]
    for (index, style) in data.styles.enumerated() {
      let members = styles.indices.filter { styles[$0] == index }
      guard members.count >= 2 else { continue }
      sets[style] = try GaussianStatistics(features: withTensorErrors { features.indexSelect(0, index: Tensor(members)) })
    }
    try FeatureStatisticsFile.write(sets, folder: own)
  }
}
