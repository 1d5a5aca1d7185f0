/// What text encoders hold at once beside their weights: per token its channels and the inner tensors of a feed-forward layer, and scores where
/// an encoder holds any. Factors are measured as those of ``TokenMemory`` are.
extension CLIPTextEncoder {
  /// Bytes in use at once while prompts are encoded: an estimate from above. All layers' results are kept for the caller.
  /// - Parameters:
  ///   - length: tokens of a prompt.
  ///   - batch: prompts that are encoded together.
  ///   - elementBytes: of a number that is computed with.
  public func workingBytes(length: Int, batch: Int, elementBytes: Int) -> Int {
    let perToken = (configuration.layers + 20) * configuration.hiddenSize + 4 * configuration.feedForwardSize
    return (length * perToken + 3 * configuration.heads * length * length) * batch * elementBytes
  }
}

extension T5Encoder {
  /// Bytes in use at once while prompts are encoded: an estimate from above. What is added to the scores for distances is held as a whole, for
  /// every prompt of the batch where padding is masked.
  ///
  /// Seen for 2048 channels, 5120 in between, 32 heads and 512 tokens: 146 MB for one prompt, 370 MB for four, where this says 168 and 470 MB.
  /// - Parameters:
  ///   - length: tokens of a prompt.
  ///   - masksPadding: whether the encoder sees the tokens of the prompt only.
  ///   - batch: prompts that are encoded together.
  ///   - elementBytes: of a number that is computed with.
  public func workingBytes(length: Int, masksPadding: Bool, batch: Int, elementBytes: Int) -> Int {
    let inner = configuration.heads * configuration.headSize
    let perToken = 8 * configuration.hiddenSize + 6 * inner + 4 * configuration.feedForwardSize
    let bias = (masksPadding ? 2 * batch : 2) * configuration.heads * length * length
    return (length * perToken * batch + bias) * elementBytes
  }
}

extension Gemma2Encoder {
  /// Bytes in use at once while prompts are encoded: an estimate from above. Scores are held for some rows of queries at a time.
  ///
  /// Counted by its tensors, and bounded by the tests for two prompts and 16384 channels in between.
  /// - Parameters:
  ///   - length: tokens of a prompt.
  ///   - batch: prompts that are encoded together.
  ///   - elementBytes: of a number that is computed with.
  public func workingBytes(length: Int, batch: Int, elementBytes: Int) -> Int {
    let inner = configuration.heads * configuration.headSize
    let perToken = 10 * configuration.hiddenSize + 8 * inner + 4 * configuration.feedForwardSize
    let scores = 5 * configuration.heads * min(length, Gemma2Attention.rows) * length
    return (length * perToken + scores) * batch * elementBytes
  }
}
