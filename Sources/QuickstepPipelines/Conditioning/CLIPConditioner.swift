import QuickstepModels
import QuickstepTensor

/// Prompts of Stable Diffusion 1.x and 2.x: the normalised last layer of one CLIP encoder.
struct StableDiffusionConditioner: Conditioner {
  let model: String
  let stage: CLIPStage
  let device: Device

  var promptChannels: Int? { stage.encoder.configuration.hiddenSize }
  var pooledChannels: Int? { nil }
  var takesWeights: Bool { true }

  func workingBytes(batch: Int, elementBytes: Int) -> Int { stage.workingBytes(batch: batch, elementBytes: elementBytes) }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    Conditioning(
      sequence: try stage.encode(prompts, .last, model: model, device: device, weighting: frame.weighting, warnings: &warnings).sequence)
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    Conditioning(sequence: sequence)
  }
}

/// Prompts of SDXL: the last but one layers of its CLIP encoders side by side, the projected summary of the last encoder, and the picture's size.
struct StableDiffusionXLConditioner: Conditioner {
  let model: String
  let stages: [CLIPStage]
  /// An empty negative prompt becomes zeros (`force_zeros_for_empty_prompt`).
  let zerosForEmpty: Bool
  /// The model is told how good the picture should be, and not its final size (`requires_aesthetics_score`, the refiner).
  let toldScores: Bool
  let device: Device

  var promptChannels: Int? { stages.reduce(0) { $0 + $1.encoder.configuration.hiddenSize } }
  var pooledChannels: Int? { stages.last?.encoder.configuration.projectionSize }
  var takesWeights: Bool { true }

  func workingBytes(batch: Int, elementBytes: Int) -> Int {
    stages.reduce(0) { $0 + $1.workingBytes(batch: batch, elementBytes: elementBytes) }
  }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    let outputs = try stages.map {
      try $0.encode(prompts, .penultimate, model: model, device: device, weighting: frame.weighting, warnings: &warnings)
    }
    guard let pooled = outputs.last?.projected else { throw GenerationError("the last text encoder of '\(model)' has no projection") }
    var sequence = Tensor.cat(outputs.map(\.sequence), dim: -1)
    var summary = pooled
    if zerosForEmpty, side == .negative, prompts.allSatisfy(\.isEmpty) { (sequence, summary) = (sequence.zerosLike(), summary.zerosLike()) }
    var frame = frame
    frame.side = side
    return try condition(encoded: sequence, pooled: summary, frame: frame)
  }

  /// Adds numbers: original height and width, crop from the top left, and either target height and width or a score.
  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    guard let pooled else { throw frame.missingSummary(model) }
    var result = Conditioning(sequence: sequence, pooled: pooled)
    // The scores are those of the reference's pipeline.
    let end = toldScores ? [frame.side == .positive ? 6 : 2.5] : [Float(frame.height), Float(frame.width)]
    let numbers = [Float(frame.height), Float(frame.width), 0, 0] + end
    result.timeIDs = Tensor(numbers, shape: [1, numbers.count]).expand([sequence.size(0), numbers.count]).contiguous().to(sequence.device)
    return result
  }
}
