import QuickstepModels
import QuickstepTensor

/// Prompts of Sana: Gemma's encoding of an instruction and the prompt, less the instruction (Xie et al. 2024, arXiv 2410.10629, section 3.1),
/// under a mask of the tokens. Negative prompts are encoded without the instruction.
///
/// Prompts are brought to lower case without white space around, as the reference does where its caption cleaner is not asked for. Folders
/// without a text encoder take encoded prompts.
struct SanaConditioner: Conditioner {
  /// Places of an encoded prompt.
  static let length = 300

  let model: String
  /// Without it prompts come encoded.
  let stage: GemmaStage?
  let channels: Int
  /// Tokens of the instruction alone.
  let instructionTokens: Int
  /// Whether the network is told a guidance scale beside being guided by branches.
  let embedsGuidance: Bool
  let device: Device

  /// - Throws: ``GenerationError`` when encoder and network do not fit.
  init(model: String, stage: GemmaStage?, network: SanaConfiguration, device: Device) throws {
    if let size = stage?.encoder.configuration.hiddenSize, size != network.promptSize {
      throw GenerationError("the text encoder of '\(model)' gives \(size) channels, its network takes \(network.promptSize)")
    }
    (self.model, self.stage, self.device) = (model, stage, device)
    (channels, embedsGuidance) = (network.promptSize, network.embedsGuidance)
    instructionTokens = stage?.count(SanaInstruction.text) ?? 0
  }

  var promptChannels: Int? { channels }
  var pooledChannels: Int? { nil }
  var takesMask: Bool { true }
  var guidance: GuidanceKind { embedsGuidance ? .told : .branches }
  var promptLength: Int { Self.length }

  func workingBytes(batch: Int, elementBytes: Int) -> Int {
    stage?.encoder.workingBytes(length: places(.positive), batch: batch, elementBytes: elementBytes) ?? 0
  }

  /// Tokens that the instruction, where there is one, and a prompt may have together.
  private func places(_ side: GuidanceSide) -> Int {
    // Two less than both together, as in the reference: what surrounds a text is counted in the instruction already.
    side == .positive ? max(Self.length, instructionTokens + Self.length - 2) : Self.length
  }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    guard let stage else {
      throw GenerationError(
        "'\(model)' has no text encoder; give encoded prompts in a file (--latents) as 'prompt_embeds' [B, L, \(channels)] and, where "
          + "guidance acts, 'negative_prompt_embeds', with 'prompt_attention_mask' and 'negative_prompt_attention_mask' [B, L] where not "
          + "all positions count")
    }
    let (sequence, mask) = try stage.encode(
      prompts.map(\.asCaption), behind: side == .positive ? SanaInstruction.text : "", places: places(side),
      length: Self.length,
      device: device, warnings: &warnings)
    var result = try condition(encoded: sequence, pooled: nil, frame: frame)
    result.mask = mask
    return result
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    var result = Conditioning(sequence: sequence)
    if embedsGuidance {
      result.guidanceScale = .full([sequence.size(0)], fillValue: .real(frame.guidanceScale), dtype: .float32, device: sequence.device)
    }
    return result
  }
}

/// What Sana's encoder is asked to do with a prompt. The words are the model's: it was trained with exactly these (Sana's own configuration,
/// under the Apache licence), and other words would be another encoding.
enum SanaInstruction {
  static let text = [
    "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image generation. "
      + "Evaluate the level of detail in the user prompt:",
    "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial relationships to create "
      + "vivid and concrete scenes.",
    "- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.",
    "Here are examples of how to transform or refine prompts:",
    "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping peacefully on a warm "
      + "sunny windowsill, surrounded by pots of blooming red flowers.",
    "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street lamps, a diverse "
      + "crowd of people in colorful clothing, and a double-decker bus passing by towering glass skyscrapers.",
    "Please generate only the enhanced description for the prompt below and avoid including any additional commentary or evaluations:",
    "User Prompt: ",
  ].joined(separator: "\n")
}
