import QuickstepModels
import QuickstepTensor

/// Prompts of PixArt-α and PixArt-Σ: T5's encoding under a mask of the prompt's tokens, and in some models the picture's size.
///
/// Prompts are brought to lower case without white space around, as the reference does where its caption cleaner is not installed.
struct PixArtConditioner: Conditioner {
  let model: String
  let stage: T5Stage
  /// Whether the network is told height and width (`use_additional_conditions`).
  let hasSizes: Bool
  let device: Device

  var promptChannels: Int? { stage.encoder.configuration.hiddenSize }
  var pooledChannels: Int? { nil }
  var takesMask: Bool { true }
  var promptLength: Int { stage.length }

  func workingBytes(batch: Int, elementBytes: Int) -> Int {
    stage.workingBytes(masksPadding: true, batch: batch, elementBytes: elementBytes)
  }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    let cleaned = prompts.map(\.asCaption)
    let (sequence, mask) = stage.encode(cleaned, masksPadding: true, model: model, device: device, warnings: &warnings)
    var result = try condition(encoded: sequence, pooled: nil, frame: frame)
    result.mask = mask
    return result
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    var result = Conditioning(sequence: sequence)
    guard hasSizes else { return result }
    func repeated(_ numbers: [Float]) -> Tensor {
      Tensor(numbers, shape: [1, numbers.count]).expand([sequence.size(0), numbers.count]).contiguous().to(sequence.device)
    }
    result.resolution = repeated([Float(frame.height), Float(frame.width)])
    result.aspectRatio = repeated([Float(Double(frame.height) / Double(frame.width))])
    return result
  }
}
