import QuickstepModels
import QuickstepTensor

/// Prompts of Stable Diffusion 3: the last but one layers of two CLIP encoders side by side, filled with zeros to T5's width, and T5's
/// encoding behind them; the summary is those of both CLIP encoders.
struct StableDiffusion3Conditioner: Conditioner {
  let model: String
  let stages: [CLIPStage]
  /// Without it, zeros stand in its place.
  let t5: T5Stage?
  /// Channels of the network's prompt, and tokens of T5's part of it.
  let channels: Int
  let length: Int
  let device: Device

  var promptChannels: Int? { channels }
  var pooledChannels: Int? { stages.reduce(0) { $0 + ($1.encoder.configuration.projectionSize ?? 0) } }
  var promptLength: Int { length + (stages.first?.length ?? 0) }

  func workingBytes(batch: Int, elementBytes: Int) -> Int {
    let words = stages.reduce(0) { $0 + $1.workingBytes(batch: batch, elementBytes: elementBytes) }
    return max(words, t5?.workingBytes(masksPadding: false, batch: batch, elementBytes: elementBytes) ?? 0)
  }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    let outputs = try stages.map { try $0.encode(prompts, .penultimate, model: model, device: device, warnings: &warnings) }
    let pooled = outputs.compactMap(\.projected)
    guard pooled.count == stages.count else { throw GenerationError("a CLIP text encoder of '\(model)' has no projection") }
    var words = Tensor.cat(outputs.map(\.sequence), dim: -1)
    let (width, dtype) = (words.size(2), words.dtype)
    guard width <= channels else {
      throw GenerationError("the CLIP text encoders of '\(model)' give \(width) channels, its network takes \(channels)")
    }
    if width < channels {
      words = .cat([words, .zeros([prompts.count, words.size(1), channels - width], dtype: dtype, device: device)], dim: -1)
    }
    let sentence =
      t5?.encode(prompts, masksPadding: false, model: model, device: device, warnings: &warnings).sequence
      ?? .zeros([prompts.count, length, channels], dtype: dtype, device: device)
    return Conditioning(sequence: .cat([words, sentence], dim: 1), pooled: .cat(pooled, dim: -1))
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    guard let pooled else { throw frame.missingSummary(model) }
    return Conditioning(sequence: sequence, pooled: pooled)
  }
}
