import QuickstepModels
import QuickstepTensor
import QuickstepTokenizers

/// Turns prompts into what the backbone is conditioned on, and says what was not understood.
struct PromptConditioner {
  let model: LoadedModel
  var warnings: [String] = []

  /// The positive and negative conditions of a batch.
  mutating func conditions(
    prompts: [String], negative: String, style: String?, given: GivenTensors, needsNegative: Bool
  ) throws -> [String: Conditioning] {
    if let embeds = given.promptEmbeds {
      var result = ["positive": embedded(embeds, given.pooledPromptEmbeds)]
      if needsNegative {
        guard let other = given.negativePromptEmbeds else {
          throw GenerationError("guidance needs 'negative_prompt_embeds' beside 'prompt_embeds'; give them or set the guidance scale to 1")
        }
        result["negative"] = embedded(other, given.negativePooledPromptEmbeds)
      }
      return result
    }
    if let classCount = model.classCount { return try classes(prompts, negative, classCount) }
    var result = ["positive": try encode(prompts, style: style)]
    if needsNegative {
      result["negative"] = try encode(Array(repeating: negative, count: prompts.count), style: negative.isEmpty ? nil : style)
    }
    return result
  }

  private func embedded(_ sequence: Tensor, _ pooled: Tensor?) -> Conditioning {
    Conditioning(sequence: sequence, pooled: pooled ?? sequence.mean([1]))
  }

  /// The class after the last one stands for "no class".
  private func classes(_ prompts: [String], _ negative: String, _ count: Int) throws -> [String: Conditioning] {
    let labels = try prompts.map { prompt in
      guard let label = Int(prompt.trimmingSpaces), (0..<count).contains(label) else {
        throw GenerationError("the model '\(model.name)' makes classes 0…\(count - 1); the prompt '\(prompt.prefix(60))' is none of them")
      }
      return label
    }
    var none = count
    if !negative.isEmpty {
      guard let label = Int(negative.trimmingSpaces), (0..<count).contains(label) else {
        throw GenerationError("the negative prompt '\(negative.prefix(60))' is no class of '\(model.name)' (0…\(count - 1))")
      }
      none = label
    }
    return [
      "positive": Conditioning(classes: Tensor(labels).to(model.device)),
      "negative": Conditioning(classes: Tensor(labels.map { _ in none }).to(model.device)),
    ]
  }

  private mutating func encode(_ prompts: [String], style: String?) throws -> Conditioning {
    guard let encoder = model.encoder, let tokenizer = model.tokenizer else {
      throw GenerationError("the model '\(model.name)' has no text encoder")
    }
    let encodings = prompts.map { tokenizer.encode($0, style: style) }
    for (prompt, encoding) in zip(prompts, encodings) {
      func warn(_ words: [String], _ what: String) {
        let text =
          "\(what): \(words.prefix(8).map { $0.prefix(40) }.joined(separator: ", "))\(words.count > 8 ? ", …" : "") (prompt '\(prompt.prefix(60))')"
        if !words.isEmpty, !warnings.contains(text) { warnings.append(text) }
      }
      warn(encoding.unknownWords, "words the model '\(model.name)' does not know")
      warn(encoding.truncatedWords, "the prompt is longer than \(encoder.configuration.length) tokens, left out")
    }
    let length = encoder.configuration.length
    let ids = Tensor(encodings.flatMap(\.ids), shape: [prompts.count, length]).to(model.device)
    let mask = Tensor(encodings.flatMap(\.mask), shape: [prompts.count, length]).to(model.device)
    let encoded = encoder(ids, mask: mask)
    return Conditioning(sequence: encoded.sequence, mask: mask, pooled: encoded.pooled)
  }
}

/// A request cannot be carried out.
public struct GenerationError: Error, Sendable, CustomStringConvertible {
  public let description: String
  /// An error with this text, which names the value and what is allowed.
  public init(_ description: String) { self.description = description }
}

extension String {
  var trimmingSpaces: String { String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()) }
}
