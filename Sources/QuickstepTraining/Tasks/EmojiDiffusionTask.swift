internal import Foundation
public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats
import QuickstepModels
import QuickstepTokenizers

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
  private let data: EmojiTrainingData
  private let tokenizer: WordTokenizer
  private let plan: TrainingPlan
  private let device: Device
  private let backboneName: String

  /// Decodes all selected pictures and makes the vocabulary from their names and keywords. Needs an `objective`, a component `text_encoder`
  /// with `max_position_embeddings` and a backbone, `unet` or `transformer`.
  /// - Throws: ``PlanError`` when one of them is missing or the selection is empty; `FormatError` when the data set is missing or damaged.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    guard let objectivePlan = plan.objective else { throw PlanError("the task 'emoji' needs an 'objective'") }
    self.plan = plan
    device = context.device
    data = try EmojiTrainingData(plan.data, note: context.note)
    guard let length = plan.components["text_encoder"]?["max_position_embeddings"]?.json.integer else {
      throw PlanError("the plan's 'text_encoder' needs 'max_position_embeddings'")
    }
    tokenizer = try WordTokenizer(counting: data.vocabularyTexts, styles: data.styles, length: length)
    components = try ComponentSet(
      plan, device: context.device, settings: ["text_encoder": ["vocab_size": .integer(tokenizer.vocabularySize)]])
    backboneName = plan.components["unet"] == nil ? "transformer" : "unet"
    backbone = try components.component(backboneName, as: (any Backbone).self)
    encoder = try components.component("text_encoder", as: PromptEncoder.self)
    objective = try DenoisingObjective(objectivePlan)
  }

  /// Of the backbone and of `text_encoder.`.
  public var parameters: ParameterTree { components.parameters }
  /// Pictures of the selection in the training split; one emoji counts once per style.
  public var sampleCount: Int { data.rows.count }

  /// The objective's loss, with prompts drawn from a picture's name, keywords and style.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    var choices = random.choices
    let pixels = data.pixels.indexSelect(0, index: Tensor(indices)).to(device).to(.float32) / 127.5 - 1
    let encodings = indices.map { encode(data.rows[$0], &choices) }
    let ids = Tensor(encodings.flatMap(\.ids), shape: [indices.count, encodings[0].ids.count]).to(device)
    let mask = Tensor(encodings.flatMap(\.mask), shape: [indices.count, encodings[0].ids.count]).to(device)
    let prompt = encoder(ids, mask: mask)
    let conditioning = Conditioning(sequence: prompt.sequence, mask: mask, pooled: prompt.pooled)
    return try objective.loss(pixels, generator: random.generator) { noisy, timestep in
      try backbone(noisy, timestep: timestep, conditioning: conditioning, evaluation: .plain)
    }
  }

  /// What the model is told of a picture: mostly its name, sometimes with or instead of keywords; now and then no words, or nothing at all.
  private func encode(_ row: EmojiRow, _ choices: inout SplitMix64) -> Encoding {
    let draw = Double.random(in: 0..<1, using: &choices)
    if draw < plan.conditionDropout { return tokenizer.encode("", style: draw < plan.conditionDropout / 2 ? nil : row.style) }
    let style = Double.random(in: 0..<1, using: &choices) < 0.05 ? nil : row.style
    let kind = Double.random(in: 0..<1, using: &choices)
    guard kind < 0.2, !row.keywords.isEmpty else { return tokenizer.encode(row.name, style: style) }
    let words = row.keywords.shuffled(using: &choices).prefix(3).joined(separator: " ")
    return tokenizer.encode(kind < 0.05 ? words : row.name + " " + words, style: style)
  }

  /// Writes a model folder for `PromptToImagePipeline`, tokenizer included.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
    try FileManager.default.createDirectory(atPath: folder + "/tokenizer", withIntermediateDirectories: true)
    try tokenizer.save(to: folder + "/tokenizer/vocab.json")
    if let objective = plan.objective {
      try ModelFolderFiles.write(ModelFolderFiles.scheduler(objective), to: folder + "/scheduler/scheduler_config.json")
    }
    var defaults = plan.defaults
    defaults["styles"] = .list(data.styles.map { .text($0) })
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
