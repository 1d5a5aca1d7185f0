public import QuickstepNN
public import QuickstepTensor
import QuickstepModels

/// Digit to class on MNIST: the feature net behind the digit metrics.
public final class DigitClassifierTask: TrainingTask {
  public static let name = "digit-classifier"
  public static let summary = "28×28 digit to class, on MNIST; its features serve the digit metrics."

  private let components: ComponentSet
  private let classifier: DigitClassifier
  private let data: DigitData
  private let device: Device

  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    device = context.device
    data = try DigitData(plan.data)
    components = try ComponentSet(plan, device: context.device)
    classifier = try components.component("classifier", as: DigitClassifier.self)
  }

  public var parameters: ParameterTree { components.parameters }
  public var sampleCount: Int { data.images.size(0) }

  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    var choices = random.choices
    let (images, labels) = data.batch(indices, device: device)
    // A small random shift: generated digits are not centred as exactly as MNIST's.
    let shift = [Int.random(in: -2...2, using: &choices), Int.random(in: -2...2, using: &choices)]
    return classifier(images.roll(shift, dims: [2, 3])).logits.crossEntropy(labels)
  }

  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
  }
}
