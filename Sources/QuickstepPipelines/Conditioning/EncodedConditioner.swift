import QuickstepModels
import QuickstepTensor

/// Prompts that come encoded, of models whose text encoder is not there.
struct EncodedConditioner: Conditioner {
  let model: String
  /// The class of the missing encoder.
  let encoder: String
  let channels: Int
  /// Whether the network is told a guidance scale beside being guided by branches.
  let embedsGuidance: Bool

  var promptChannels: Int? { channels }
  var pooledChannels: Int? { nil }
  var takesMask: Bool { true }
  var guidance: GuidanceKind { embedsGuidance ? .told : .branches }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    throw GenerationError(
      "the text encoder of '\(model)' (\(encoder)) is not supported; give its encoded prompts in a file (--latents) as 'prompt_embeds' "
        + "[B, L, \(channels)] and, where guidance acts, 'negative_prompt_embeds', with 'prompt_attention_mask' and "
        + "'negative_prompt_attention_mask' [B, L] where not all positions count")
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    var result = Conditioning(sequence: sequence)
    if embedsGuidance {
      result.guidanceScale = .full([sequence.size(0)], fillValue: .real(frame.guidanceScale), dtype: .float32, device: sequence.device)
    }
    return result
  }
}
