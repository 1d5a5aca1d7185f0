public import QuickstepNN
public import QuickstepTensor
import QuickstepModels

/// Prompt to mean picture on `emoji64`: a prompt encoder trained by regression, before any diffusion model uses it.
///
/// The loss is the squared error of the sketch that a linear map makes of the pooled prompt. So the pooled prompt learns what things look
/// like at some thousand prompts a second, where a denoiser would learn it at the rate of its own pictures and through noise.
public final class EmojiPromptTask: TrainingTask {
  /// `emoji-prompt`.
  public static let name = "emoji-prompt"
  /// For lists of tasks.
  public static let summary = "Prompt and style to a sketch, the mean picture, on the emoji64 set: trains the text encoder."

  private let components: ComponentSet
  private let encoder: PromptEncoder
  private let sketch: PromptSketch
  private let prompts: EmojiPrompts
  private let device: Device

  /// Decodes all selected pictures and makes the vocabulary from their names and keywords. Needs the components `text_encoder` and `sketch`;
  /// an `objective` is not read.
  /// - Throws: ``PlanError`` when one of them is missing or the selection is empty; `FormatError` when the data set is missing or damaged.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    device = context.device
    prompts = try EmojiPrompts(plan, note: context.note)
    components = try ComponentSet(plan, device: context.device, settings: ["text_encoder": prompts.encoderSettings])
    encoder = try components.component("text_encoder", as: PromptEncoder.self)
    sketch = try components.component("sketch", as: PromptSketch.self)
  }

  /// Of `sketch.` and `text_encoder.`.
  public var parameters: ParameterTree { components.parameters }
  /// Pictures of the selection in the training split; one emoji counts once per style.
  public var sampleCount: Int { prompts.data.rows.count }

  /// Mean squared error of the sketch, in units of −1…1.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    var choices = random.choices
    let pictures = prompts.pictures(indices, device: device)
    let (ids, mask) = prompts.prompts(indices, choices: &choices, device: device)
    return (sketch(encoder(ids, mask: mask).pooled).to(.float32) - pictures).square().mean()
  }

  /// Writes `text_encoder`, `sketch` and `tokenizer`: components that other plans start from, no pipeline.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try components.write(parameters, to: folder)
    try prompts.writeTokenizer(to: folder)
  }
}
