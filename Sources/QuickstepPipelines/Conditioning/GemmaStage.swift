import QuickstepModels
import QuickstepTensor
import QuickstepTokenizers

/// A Gemma 2 text encoder with its tokenizer.
struct GemmaStage: Sendable {
  let tokenizer: SubwordTokenizer
  let encoder: Gemma2Encoder
  let model: String

  /// - Throws: ``GenerationError`` when tokenizer and encoder do not fit.
  init(tokenizer: SubwordTokenizer, encoder: Gemma2Encoder, model: String) throws {
    guard tokenizer.vocabularySize <= encoder.configuration.vocabularySize else {
      throw GenerationError(
        "the tokenizer of '\(model)' has \(tokenizer.vocabularySize) tokens, its Gemma 2 encoder knows "
          + "\(encoder.configuration.vocabularySize)")
    }
    self.tokenizer = try tokenizer.padded(to: nil)
    self.encoder = encoder
    self.model = model
  }

  /// Tokens of a text with those that surround it.
  func count(_ text: String) -> Int { tokenizer.encode(text).ids.count }

  /// Prompts behind an instruction, of which the first token and the last `length` − 1 places are kept.
  ///
  /// Every token sees earlier ones only, and places behind a prompt are masked: what the reference computes there is left out, and zeros stand
  /// in its place.
  /// - Parameters:
  ///   - prompts: one per picture.
  ///   - instruction: put before each; empty for none.
  ///   - places: tokens that an instruction and its prompt may have together, at least `length`.
  ///   - length: of the result.
  ///   - warnings: takes what did not fit.
  /// - Returns: `[B, length, D]`, and which places hold tokens, `[B, length]` boolean.
  /// - Throws: ``TokenizerError`` when what surrounds a text does not fit.
  func encode(
    _ prompts: [String], behind instruction: String, places: Int, length: Int, device: Device, warnings: inout [String]
  ) throws -> (sequence: Tensor, mask: Tensor) {
    let cut = try tokenizer.padded(to: places)
    let rows = prompts.map { prompt -> [Int] in
      let encoding = cut.encode(instruction + prompt)
      TokenizerWarnings.add(encoding, prompt: prompt, model: model, length: length, to: &warnings)
      // Padded at the end whatever the tokenizer's file says.
      return zip(encoding.ids, encoding.mask).filter(\.1).map(\.0)
    }
    let longest = max(1, rows.map(\.count).max() ?? 1)
    let ids = rows.flatMap { $0 + Array(repeating: 0, count: longest - $0.count) }
    let encoded = encoder(Tensor(ids, shape: [rows.count, longest]).to(device)).pad([0, 0, 0, places - longest], value: 0)
    let counts = Tensor(rows.map(\.count), shape: [rows.count, 1]).to(device)
    let mask = Tensor.arange(0, end: Scalar(places), dtype: .int64, device: device).unsqueeze(0).less(counts)
    func kept(_ tensor: Tensor) -> Tensor {
      .cat([tensor.narrow(1, start: 0, length: 1), tensor.narrow(1, start: places - length + 1, length: length - 1)], dim: 1)
    }
    return (kept(encoded.maskedFill(mask.logicalNot().unsqueeze(-1), value: 0)), kept(mask))
  }
}
