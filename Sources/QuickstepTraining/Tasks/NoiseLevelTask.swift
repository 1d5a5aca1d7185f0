public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats
import QuickstepModels

/// Noisy picture to its noise level: the predictor of denoising Markov chains (Kim & Ye 2022, arXiv 2209.14593, section 4.1).
public final class NoiseLevelTask: TrainingTask {
  /// `noise-level`.
  public static let name = "noise-level"
  /// For lists of tasks.
  public static let summary = "Noisy picture to its noise level, on MNIST or emoji64; chains of 'dlg' walk by it."

  private let components: ComponentSet
  private let predictor: NoiseLevelClassifier
  private let data: TrainingPictures
  private let sigmas: Tensor
  private let device: Device

  /// Needs a component `noise_predictor` of class `NoiseLevelClassifier` for the channels of the data; an `objective` is not read.
  /// - Throws: ``PlanError`` when it is missing or takes other pictures; `FormatError` when the data set is missing or damaged.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    device = context.device
    data = try TrainingPictures(plan.data, note: context.note)
    components = try ComponentSet(plan, device: context.device)
    predictor = try components.component("noise_predictor", as: NoiseLevelClassifier.self)
    guard predictor.configuration.inChannels == data.channels else {
      throw PlanError(
        "the plan's 'noise_predictor' takes \(predictor.configuration.inChannels) channels; '\(plan.data.set)' has \(data.channels)")
    }
    let values = predictor.configuration.sigmas.map(Float.init)
    sigmas = try withTensorErrors { Tensor(values) }
  }

  /// Of `noise_predictor.`.
  public var parameters: ParameterTree { components.parameters }
  /// Pictures of the data set's training part.
  public var sampleCount: Int { data.count }

  /// Cross-entropy in nats per picture at x0 + σ_k·z, every level k being as likely.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    let clean = data.batch(indices, device: device)
    let levels = Tensor.randint(0, high: sigmas.count, size: [indices.count], generator: random.generator)
    let sigma = sigmas.indexSelect(0, index: levels).reshape([-1, 1, 1, 1])
    let noise = Tensor.randn(clean.shape, generator: random.generator)
    return predictor(clean + (sigma * noise).to(device)).crossEntropy(levels.to(device))
  }

  /// Writes the folder `noise_predictor`; it is a component, no pipeline.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
  }
}
