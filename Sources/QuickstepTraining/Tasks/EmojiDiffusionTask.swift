public import QuickstepNN
public import QuickstepTensor
import QuickstepModels

/// Text to picture on `emoji64`: a backbone and a prompt encoder trained together.
public final class EmojiDiffusionTask: TrainingTask {
  /// `emoji`.
  public static let name = "emoji"
  /// For lists of tasks.
  public static let summary = "Prompt and style to a 64×64 picture, on the emoji64 set."

  private let components: ComponentSet
  private let backbone: any Backbone
  private let encoder: PromptEncoder
  private let objective: DenoisingObjective
  private let prompts: EmojiPrompts
  private let device: Device
  private let backboneName: String

  /// Decodes all selected pictures and makes the vocabulary from their names and keywords, unless the text encoder starts from a trained one.
  /// Needs an `objective`, a component `text_encoder` with `max_position_embeddings` and a backbone, `unet` or `transformer`.
  /// - Throws: ``PlanError`` when one of them is missing or the selection is empty; `FormatError` when the data set is missing or damaged.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    guard let objectivePlan = plan.objective else { throw PlanError("the task 'emoji' needs an 'objective'") }
    device = context.device
    prompts = try EmojiPrompts(plan, note: context.note)
    components = try ComponentSet(plan, device: context.device, settings: ["text_encoder": prompts.encoderSettings])
    backboneName = plan.components["unet"] == nil ? "transformer" : "unet"
    backbone = try components.component(backboneName, as: (any Backbone).self)
    encoder = try components.component("text_encoder", as: PromptEncoder.self)
    objective = try DenoisingObjective(objectivePlan)
  }

  /// Of the backbone and of `text_encoder.`.
  public var parameters: ParameterTree { components.parameters }
  /// Pictures of the selection in the training split; one emoji counts once per style.
  public var sampleCount: Int { prompts.data.rows.count }

  /// The objective's loss, with prompts drawn from a picture's name, keywords and style.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    var choices = random.choices
    let (ids, mask) = prompts.prompts(indices, choices: &choices, device: device)
    let prompt = encoder(ids, mask: mask)
    let conditioning = Conditioning(sequence: prompt.sequence, mask: mask, pooled: prompt.pooled)
    return try objective.loss(prompts.pictures(indices, device: device), generator: random.generator) { noisy, timestep in
      try backbone(noisy, timestep: timestep, conditioning: conditioning, evaluation: .plain)
    }
  }

  /// Writes a model folder for `PromptToImagePipeline`, tokenizer included.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
    try prompts.writeTokenizer(to: folder)
    if let objective = plan.objective {
      try ModelFolderFiles.write(ModelFolderFiles.scheduler(objective), to: folder + "/scheduler/scheduler_config.json")
    }
    var defaults = plan.defaults
    defaults["styles"] = .list(prompts.data.styles.map { .text($0) })
    let index = ModelFolderFiles.index(
      "PromptToImagePipeline",
      components: [
        backboneName: ("quickstep", components.loaded[backboneName]?.architecture.className ?? ""),
        "text_encoder": ("quickstep", "PromptEncoder"), "tokenizer": ("quickstep", "WordTokenizer"),
        "scheduler": ("diffusers", "DDIMScheduler"),
      ], defaults: defaults)
    try ModelFolderFiles.write(index, to: folder + "/model_index.json")
  }
}
