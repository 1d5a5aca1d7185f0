/// What transformers hold at once, in numbers per channel of a token: the tokens, the same normalised and modulated, queries, keys and values,
/// the inner tensors of feed-forward layers, and what is kept of layers before, whose pieces do not always suit the next one.
///
/// The factors are measured: peaks of `quickstep forward` on x86 with two threads, above those of the smallest input, with networks of one to
/// three blocks of published width. Each is above the largest that was seen, with prepared layers and with plain ones.
enum TokenMemory {
  /// - Parameters:
  ///   - tokens: of one sample.
  ///   - size: channels of a token.
  ///   - factor: numbers held per channel of a token.
  static func bytes(tokens: Int, size: Int, factor: Int, batch: Int, elementBytes: Int) -> Int {
    factor * tokens * size * batch * elementBytes
  }

  /// Tokens of a sample that is cut into square patches.
  static func tokens(_ side: (width: Int, height: Int), patch: Int) -> Int {
    (side.width / max(1, patch)) * (side.height / max(1, patch))
  }
}

extension DiT {
  /// Seen for 1152 channels and 1024 to 4096 tokens: 13 to 18 numbers with prepared layers, 18 to 25 with plain ones.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    TokenMemory.bytes(
      tokens: TokenMemory.tokens(sampleSide, patch: configuration.patchSize), size: configuration.hiddenSize, factor: 30, batch: batch,
      elementBytes: elementBytes)
  }
}

extension PixArtTransformer {
  /// Seen for 1152 channels, 1024 to 4096 tokens and a prompt of 300: 15 numbers with prepared layers, 21 to 25 with plain ones.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    let tokens = TokenMemory.tokens(sampleSide, patch: configuration.patchSize)
    return TokenMemory.bytes(
      tokens: tokens + promptLength / 4, size: configuration.hiddenSize, factor: 30, batch: batch, elementBytes: elementBytes)
  }
}

extension SD3Transformer {
  /// Tokens of the prompt pass through the blocks beside the picture's. Seen for 1024 channels, 1024 to 4096 tokens and a prompt of 333:
  /// 17 to 23 numbers, 20 to 27 with a second attention in every block.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    let tokens = TokenMemory.tokens(sampleSide, patch: configuration.patchSize)
    return TokenMemory.bytes(
      tokens: tokens + promptLength, size: configuration.hiddenSize, factor: 34, batch: batch, elementBytes: elementBytes)
  }
}

extension FluxTransformer {
  /// Tokens of the prompt pass through the blocks beside the picture's, which stand for 2×2 pixels. Seen for 1024 channels, 1024 to 4096 tokens
  /// and a prompt of 512: 21 to 28 numbers.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    TokenMemory.bytes(
      tokens: TokenMemory.tokens(sampleSide, patch: 2) + promptLength, size: configuration.hiddenSize, factor: 36, batch: batch,
      elementBytes: elementBytes)
  }
}

extension SanaTransformer {
  /// Its feed-forward part has `mlp_ratio` times the channels of a token twice over, as pixels. Seen for 2240 channels, a ratio of 2.5 and 1024 to 4096
  /// tokens: 13 to 19 numbers.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    let tokens = TokenMemory.tokens(sampleSide, patch: configuration.patchSize)
    let factor = 10 + Int((8 * configuration.expansion).rounded(.up))
    return TokenMemory.bytes(
      tokens: tokens + promptLength / 4, size: configuration.hiddenSize, factor: factor, batch: batch, elementBytes: elementBytes)
  }
}

extension PromptTransformer {
  /// As for ``DiT``, and the convolutions of a head that has them.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    let head = 6 * (configuration.headChannels ?? 0) * sampleSide.width * sampleSide.height
    let tokens = TokenMemory.tokens(sampleSide, patch: configuration.patchSize)
    return TokenMemory.bytes(tokens: tokens, size: configuration.hiddenSize, factor: 30, batch: batch, elementBytes: elementBytes)
      + KeptMemory.bytes(head, batch: batch, elementBytes: elementBytes)
  }
}
