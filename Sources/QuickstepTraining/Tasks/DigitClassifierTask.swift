public import QuickstepNN
public import QuickstepTensor
import QuickstepEvaluation
import QuickstepModels

/// Digit to class on MNIST: the feature net behind the digit metrics.
public final class DigitClassifierTask: TrainingTask {
  /// `digit-classifier`.
  public static let name = "digit-classifier"
  /// For lists of tasks.
  public static let summary = "28×28 digit to class, on MNIST; its features serve the digit metrics."

  private let components: ComponentSet
  private let classifier: DigitClassifier
  private let data: DigitData
  private let device: Device

  /// Needs a component `classifier` of class `DigitClassifier`; an `objective` is not read.
  /// - Throws: ``PlanError`` when it is missing; `FormatError` when the data set is missing or damaged.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    device = context.device
    data = try DigitData(plan.data)
    components = try ComponentSet(plan, device: context.device)
    classifier = try components.component("classifier", as: DigitClassifier.self)
  }

  /// Of `classifier.`.
  public var parameters: ParameterTree { components.parameters }
  /// Pictures of MNIST's training part.
  public var sampleCount: Int { data.images.size(0) }

  /// Cross-entropy in nats per picture, on pictures shifted by up to 2 pixels each way.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    var choices = random.choices
    let (images, labels) = data.batch(indices, device: device)
    // A small random shift: generated digits are not centred as exactly as MNIST's.
    let shift = [Int.random(in: -2...2, using: &choices), Int.random(in: -2...2, using: &choices)]
    return classifier(images.roll(shift, dims: [2, 3])).logits.crossEntropy(labels)
  }

  /// Writes the folder `classifier`, a component and no pipeline, with the features' mean and covariance over the training pictures.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
    let own = folder + "/classifier"
    let net = try DigitFeatures(folder: own, device: device)
    let features = try withTensorErrors { data.images.to(.float32) / 127.5 - 1 }
    try FeatureStatisticsFile.write(
      [FeatureStatisticsFile.all: GaussianStatistics(features: net.features(features, batch: 250))], folder: own)
  }
}
