import QuickstepModels
import QuickstepTensor

/// Prompts of FLUX.1: T5's encoding, CLIP's summary, and in FLUX.1 dev the guidance scale, which its network is told.
struct FluxConditioner: Conditioner {
  let model: String
  let clip: CLIPStage
  let t5: T5Stage
  /// Whether the network is told a guidance scale.
  let embedsGuidance: Bool
  let device: Device

  var promptChannels: Int? { t5.encoder.configuration.hiddenSize }
  var pooledChannels: Int? { clip.encoder.configuration.hiddenSize }
  var guidance: GuidanceKind { embedsGuidance ? .told : .none }
  var promptLength: Int { t5.length }

  func workingBytes(batch: Int, elementBytes: Int) -> Int {
    max(
      clip.workingBytes(batch: batch, elementBytes: elementBytes),
      t5.workingBytes(masksPadding: false, batch: batch, elementBytes: elementBytes))
  }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    // The summary reads the first 77 tokens only; what it leaves out T5 still reads, so that there is nothing to warn about.
    var unread: [String] = []
    let pooled = try clip.encode(prompts, .last, model: model, device: device, warnings: &unread).pooled
    let (sequence, _) = t5.encode(prompts, masksPadding: false, model: model, device: device, warnings: &warnings)
    return try condition(encoded: sequence, pooled: pooled, frame: frame)
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    guard let pooled else { throw frame.missingSummary(model) }
    var result = Conditioning(sequence: sequence, pooled: pooled)
    if embedsGuidance {
      result.guidanceScale = .full([sequence.size(0)], fillValue: .real(frame.guidanceScale), dtype: .float32, device: sequence.device)
    }
    return result
  }
}
