import QuickstepModels
import QuickstepTensor
import QuickstepTokenizers

/// A T5 text encoder with its tokenizer.
struct T5Stage: Sendable {
  let tokenizer: SubwordTokenizer
  let encoder: T5Encoder
  /// Tokens of every prompt: the model's own choice, which its tokenizer does not know.
  let length: Int

  /// - Throws: ``GenerationError`` when tokenizer and encoder do not fit.
  init(tokenizer: SubwordTokenizer, encoder: T5Encoder, length: Int, model: String) throws {
    guard tokenizer.vocabularySize <= encoder.configuration.vocabularySize else {
      throw GenerationError(
        "a tokenizer of '\(model)' has \(tokenizer.vocabularySize) tokens, its T5 encoder knows \(encoder.configuration.vocabularySize)")
    }
    self.tokenizer = try tokenizer.padded(to: length)
    self.encoder = encoder
    self.length = length
  }

  /// Bytes in use at once while prompts are encoded.
  func workingBytes(masksPadding: Bool, batch: Int, elementBytes: Int) -> Int {
    encoder.workingBytes(length: length, masksPadding: masksPadding, batch: batch, elementBytes: elementBytes)
  }

  /// Prompts through tokenizer and encoder.
  ///
  /// Where the encoder does not see the padding, what the reference computes in its places behind the longest prompt is left out, and zeros stand in its place.
  /// - Parameter masksPadding: whether the encoder sees the tokens of the prompt only, and not the padding.
  /// - Returns: `[B, L, D]`, and which positions hold tokens, `[B, L]` boolean.
  func encode(
    _ prompts: [String], masksPadding: Bool, model: String, device: Device, warnings: inout [String]
  ) -> (sequence: Tensor, mask: Tensor) {
    let encodings = prompts.map(tokenizer.encode)
    for (prompt, encoding) in zip(prompts, encodings) {
      TokenizerWarnings.add(encoding, prompt: prompt, model: model, length: length, to: &warnings)
    }
    let ids = Tensor(encodings.flatMap(\.ids), shape: [prompts.count, length]).to(device)
    let mask = Tensor(encodings.flatMap(\.mask), shape: [prompts.count, length]).to(device)
    guard masksPadding else { return (encoder(ids), mask) }
    let longest = encodings.map { ($0.mask.lastIndex(of: true) ?? length - 1) + 1 }.max() ?? length
    func cut(_ tensor: Tensor) -> Tensor { longest < length ? tensor.narrow(1, start: 0, length: longest).contiguous() : tensor }
    return (encoder(cut(ids), mask: cut(mask)).pad([0, 0, 0, length - longest], value: 0), mask)
  }
}
