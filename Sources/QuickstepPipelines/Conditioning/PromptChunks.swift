package import QuickstepTokenizers

/// How brackets in prompts are read.
public enum PromptWeighting: String, Sendable, Hashable, CaseIterable, Codable {
  /// Prompts are taken literally, as diffusers does.
  case none
  /// The grammar of AUTOMATIC1111's web interface; see `WeightedPrompt`. Long prompts are encoded in chunks.
  case a1111
}

extension WeightedPrompt {
  /// - Throws: ``GenerationError`` naming the weight that is too large to compute with.
  static func checked(_ text: String) throws -> WeightedPrompt {
    let prompt = WeightedPrompt(text)
    if let weight = prompt.excessiveWeight {
      throw GenerationError("the prompt '\(text.prefix(40))…' weighs a word by \(weight); allowed: −1000…1000")
    }
    return prompt
  }
}

/// A prompt as rows of tokens that a CLIP text encoder takes one at a time, each token with its weight; as AUTOMATIC1111's web interface cuts
/// long prompts.
package struct PromptChunk: Sendable, Hashable {
  /// Start, tokens, end, padding: as many as the encoder takes.
  package var ids: [Int]
  /// One for each token; 1 for all that surround the text.
  package var weights: [Float]

  /// How far a comma may lie behind for a chunk to end at it.
  private static let commaReach = 20

  /// The chunks of a prompt, at least one: 75 tokens of text each in encoders of 77. A full chunk ends behind the last comma where that is one
  /// of its last 20 tokens; `BREAK` ends a chunk.
  package static func chunks(of prompt: WeightedPrompt, _ tokenizer: CLIPTokenizer, length: Int) -> [PromptChunk] {
    let comma = tokenizer.tokens(of: ",")
    var builder = Builder(tokenizer: tokenizer, room: length - 2, comma: comma.count == 1 ? comma[0] : nil)
    for part in prompt.parts {
      if part.isBreak {
        builder.endChunk()
      } else {
        for token in tokenizer.tokens(of: part.text) { builder.add(token, Float(part.weight)) }
      }
    }
    return builder.finish()
  }

  /// A chunk without text.
  package static func empty(_ tokenizer: CLIPTokenizer, length: Int) -> PromptChunk {
    Builder(tokenizer: tokenizer, room: length - 2, comma: nil).surrounded([], [])
  }

  private struct Builder {
    let tokenizer: CLIPTokenizer
    let room: Int
    let comma: Int?
    private var chunks: [PromptChunk] = []
    private var tokens: [Int] = [], weights: [Float] = []
    private var lastComma: Int?

    init(tokenizer: CLIPTokenizer, room: Int, comma: Int?) {
      (self.tokenizer, self.room, self.comma) = (tokenizer, room, comma)
    }

    mutating func add(_ token: Int, _ weight: Float) {
      if token == comma {
        lastComma = tokens.count
      } else if tokens.count == room, let place = lastComma, tokens.count - place <= PromptChunk.commaReach {
        let (movedTokens, movedWeights) = (Array(tokens[(place + 1)...]), Array(weights[(place + 1)...]))
        tokens.removeSubrange((place + 1)...)
        weights.removeSubrange((place + 1)...)
        endChunk()
        (tokens, weights) = (movedTokens, movedWeights)
      }
      if tokens.count == room { endChunk() }
      tokens.append(token)
      weights.append(weight)
    }

    mutating func endChunk() {
      chunks.append(surrounded(tokens, weights))
      (tokens, weights, lastComma) = ([], [], nil)
    }

    mutating func finish() -> [PromptChunk] {
      if !tokens.isEmpty || chunks.isEmpty { endChunk() }
      return chunks
    }

    func surrounded(_ tokens: [Int], _ weights: [Float]) -> PromptChunk {
      let fill = room - tokens.count
      var ids = [tokenizer.startID] + tokens + Array(repeating: tokenizer.endID, count: fill + 1)
      // Everything behind the first end token is padding, for encoders that pad with another one.
      if let end = ids.firstIndex(of: tokenizer.endID) {
        for place in ids.indices[(end + 1)...] { ids[place] = tokenizer.paddingID }
      }
      return PromptChunk(ids: ids, weights: [1] + weights + Array(repeating: 1, count: fill + 1))
    }
  }
}
