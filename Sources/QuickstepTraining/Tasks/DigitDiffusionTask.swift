public import QuickstepNN
public import QuickstepTensor
import QuickstepModels

/// Class to digit on MNIST.
public final class DigitDiffusionTask: TrainingTask {
  /// `digits`.
  public static let name = "digits"
  /// For lists of tasks.
  public static let summary = "Class to a 28×28 digit, on MNIST."

  private let components: ComponentSet
  private let unet: PromptUNet
  private let objective: DenoisingObjective
  private let data: DigitData
  private let plan: TrainingPlan
  private let device: Device

  /// Needs an `objective` and a component `unet` of class `PromptUNet2D` for ten classes.
  /// - Throws: ``PlanError`` when one of them is missing; `FormatError` when the data set is missing or damaged.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    guard let objectivePlan = plan.objective else { throw PlanError("the task 'digits' needs an 'objective'") }
    self.plan = plan
    device = context.device
    data = try DigitData(plan.data)
    components = try ComponentSet(plan, device: context.device)
    unet = try components.component("unet", as: PromptUNet.self)
    guard unet.configuration.classCount == 10 else { throw PlanError("the plan's 'unet' needs \"num_class_embeds\": 10") }
    objective = try DenoisingObjective(objectivePlan)
  }

  /// Of `unet.`.
  public var parameters: ParameterTree { components.parameters }
  /// Pictures of MNIST's training part.
  public var sampleCount: Int { data.images.size(0) }

  /// The objective's loss. Labels are dropped with the plan's probability, to the class after the last.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    let (images, labels) = data.batch(indices, device: device)
    let dropped = Tensor.rand([indices.count], generator: random.generator).less(Scalar(plan.conditionDropout)).to(device)
    // The embedding after the last class stands for "no class".
    let conditioning = Conditioning(classes: labels.maskedFill(dropped, value: 10))
    return try objective.loss(images, generator: random.generator) { noisy, timestep in
      try unet(noisy, timestep: timestep, conditioning: conditioning, evaluation: .plain)
    }
  }

  /// Writes a model folder for `ClassToImagePipeline`.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
    if let objective = plan.objective {
      try ModelFolderFiles.write(ModelFolderFiles.scheduler(objective), to: folder + "/scheduler/scheduler_config.json")
    }
    let index = ModelFolderFiles.index(
      "ClassToImagePipeline", components: ["unet": ("quickstep", "PromptUNet2D"), "scheduler": ("diffusers", "DDIMScheduler")],
      defaults: plan.defaults)
    try ModelFolderFiles.write(index, to: folder + "/model_index.json")
  }
}
