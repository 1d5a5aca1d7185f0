import QuickstepModels
import QuickstepTensor
import QuickstepTokenizers

/// Prompts of the built-in models: words of a closed vocabulary, with a style.
struct WordConditioner: Conditioner {
  let model: String
  let tokenizer: WordTokenizer
  let encoder: PromptEncoder
  let device: Device

  var promptChannels: Int? { encoder.configuration.hiddenSize }
  var pooledChannels: Int? { encoder.configuration.hiddenSize }
  var hasStyles: Bool { true }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    let length = encoder.configuration.length
    // Guidance compares with no prompt and no style.
    let encodings = prompts.map { tokenizer.encode($0, style: side == .negative && $0.isEmpty ? nil : frame.style) }
    for (prompt, encoding) in zip(prompts, encodings) {
      TokenizerWarnings.add(encoding, prompt: prompt, model: model, length: length, to: &warnings)
    }
    let ids = Tensor(encodings.flatMap(\.ids), shape: [prompts.count, length]).to(device)
    let mask = Tensor(encodings.flatMap(\.mask), shape: [prompts.count, length]).to(device)
    let encoded = encoder(ids, mask: mask)
    return Conditioning(sequence: encoded.sequence, mask: mask, pooled: encoded.pooled)
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    Conditioning(sequence: sequence, pooled: pooled ?? sequence.mean([1]))
  }
}
