import QuickstepModels
import QuickstepTensor
import QuickstepTokenizers

/// One of a model's CLIP text encoders with its tokenizer.
struct CLIPStage: Sendable {
  let tokenizer: CLIPTokenizer
  let encoder: CLIPTextEncoder

  /// Which of the encoder's states a model takes.
  enum Layer: Sendable {
    /// The last one, normalised.
    case last
    /// The last but one, as it is.
    case penultimate
  }

  /// Encoded prompts.
  struct Output: Sendable {
    /// `[B, L, D]`.
    var sequence: Tensor
    /// At the end token, `[B, D]`, and through the projection, `[B, P]`, where there is one.
    var pooled: Tensor, projected: Tensor?

    init(_ output: CLIPTextEncoder.Output, _ layer: Layer) {
      sequence = layer == .last ? output.sequence : output.hiddenStates[output.hiddenStates.count - 2]
      (pooled, projected) = (output.pooled, output.projected)
    }
  }

  /// Tokens of a prompt, or of a chunk of one.
  var length: Int { tokenizer.length ?? encoder.configuration.length }

  /// Bytes in use at once while prompts are encoded.
  func workingBytes(batch: Int, elementBytes: Int) -> Int {
    encoder.workingBytes(length: length, batch: batch, elementBytes: elementBytes)
  }

  /// Prompts through tokenizer and encoder. Padding counts: Stable Diffusion was trained with it.
  func encode(
    _ prompts: [String], _ layer: Layer, model: String, device: Device, weighting: PromptWeighting = .none, warnings: inout [String]
  ) throws -> Output {
    guard length <= encoder.configuration.length, tokenizer.vocabularySize <= encoder.configuration.vocabularySize else {
      throw GenerationError(
        "the tokenizer of '\(model)' (\(tokenizer.vocabularySize) tokens, length \(length)) does not suit its text encoder "
          + "(\(encoder.configuration.vocabularySize), \(encoder.configuration.length))")
    }
    guard weighting == .none else { return try encodeWeighted(prompts, layer, model: model, device: device, length: length) }
    let encodings = prompts.map(tokenizer.encode)
    for (prompt, encoding) in zip(prompts, encodings) {
      TokenizerWarnings.add(encoding, prompt: prompt, model: model, length: length, to: &warnings)
    }
    return Output(encoder(Tensor(encodings.flatMap(\.ids), shape: [prompts.count, length]).to(device)), layer)
  }

  /// Prompts with weights, chunk by chunk; the summary is that of the first chunk. Prompts with fewer chunks than others of the batch are
  /// filled with empty ones.
  private func encodeWeighted(_ prompts: [String], _ layer: Layer, model: String, device: Device, length: Int) throws -> Output {
    guard length >= 3 else { throw GenerationError("the text encoder of '\(model)' takes \(length) tokens, too few for chunks") }
    let rows = try prompts.map { try PromptChunk.chunks(of: WeightedPrompt.checked($0), tokenizer, length: length) }
    let empty = PromptChunk.empty(tokenizer, length: length)
    var parts: [Output] = []
    for index in 0..<(rows.map(\.count).max() ?? 1) {
      let chunks = rows.map { index < $0.count ? $0[index] : empty }
      var output = Output(encoder(Tensor(chunks.flatMap(\.ids), shape: [prompts.count, length]).to(device)), layer)
      output.sequence = Self.weighted(output.sequence, chunks)
      parts.append(output)
    }
    var result = parts[0]
    if parts.count > 1 { result.sequence = .cat(parts.map(\.sequence), dim: 1) }
    return result
  }

  /// Vectors times their tokens' weights, and then each prompt's chunk as a whole so that its mean over all numbers is what it was.
  private static func weighted(_ sequence: Tensor, _ chunks: [PromptChunk]) -> Tensor {
    guard chunks.contains(where: { $0.weights.contains { $0 != 1 } }) else { return sequence }
    let weights = Tensor(chunks.flatMap(\.weights), shape: [chunks.count, chunks[0].weights.count, 1]).to(sequence.device)
    let plain = sequence.to(.float32)
    let scaled = plain * weights
    let restored = scaled * (plain.mean([1, 2], keepdim: true) / scaled.mean([1, 2], keepdim: true))
    return restored.to(sequence.dtype)
  }
}
