public import QuickstepNN
public import QuickstepTensor

/// Configuration of ``PromptEncoder``, as in its `config.json`.
public struct PromptEncoderConfiguration: Codable, Sendable, Hashable {
  /// Number of token ids: 1…1,000,000, in JSON `vocab_size`.
  public var vocabularySize: Int
  /// Channels D of a token: 1…65536 and a multiple of `heads`, in JSON `hidden_size`.
  public var hiddenSize: Int
  /// Number of transformer layers: 0…1000, in JSON `num_hidden_layers`.
  public var layers: Int
  /// Heads of the self-attention: 1…1024, in JSON `num_attention_heads`.
  public var heads: Int
  /// Number of tokens of a prompt.
  public var length: Int

  enum CodingKeys: String, CodingKey {
    case vocabularySize = "vocab_size"
    case hiddenSize = "hidden_size"
    case layers = "num_hidden_layers"
    case heads = "num_attention_heads"
    case length = "max_position_embeddings"
  }

  /// The numbers are checked when a ``PromptEncoder`` is made from them.
  public init(vocabularySize: Int, hiddenSize: Int, layers: Int, heads: Int, length: Int) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.layers = layers
    self.heads = heads
    self.length = length
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    ConfigurationCheck.problem([
      ("vocab_size", vocabularySize, 1...1_000_000), ("hidden_size", hiddenSize, 1...65536), ("num_hidden_layers", layers, 0...1000),
      ("num_attention_heads", heads, 1...1024), ("max_position_embeddings", length, 1...65536),
    ]) ?? ConfigurationCheck.multiple("hidden_size", hiddenSize, of: "num_attention_heads", heads)
  }
}

/// A small transformer that turns token ids into one vector per token and one for the whole prompt. Trained together with its backbone.
public struct PromptEncoder: Component {
  /// `input_ids` `[B, L]` and, if padding is not id 0, `attention_mask` `[B, L]`.
  public static let inputs = ["input_ids", "attention_mask?"]
  /// As given to the initialiser.
  public let configuration: PromptEncoderConfiguration
  let tokens: Embedding
  let positions: Tensor
  let layers: [PromptEncoderLayer]
  let norm: LayerNorm

  /// - Throws: `ComponentError` when the configuration's numbers make no network.
  public init(_ configuration: PromptEncoderConfiguration, weights: Weights) throws {
    if let problem = configuration.problem { throw ComponentError("PromptEncoder: \(problem)") }
    self.configuration = configuration
    let size = configuration.hiddenSize
    tokens = Embedding(weights["embeddings", "token_embedding"], count: configuration.vocabularySize, size: size, initial: .normal(0.5))
    positions = weights["embeddings"].parameter("position_embedding.weight", [configuration.length, size], initial: .normal(0.02))
    layers = (0..<configuration.layers).map { PromptEncoderLayer(configuration, weights: weights["layers", $0]) }
    norm = LayerNorm(weights["final_layer_norm"], size)
  }

  /// - Parameters:
  ///   - ids: `[B, L]` int64, `L` at most the configured length.
  ///   - mask: `[B, L]` boolean, true where a token counts.
  /// - Returns: `sequence` `[B, L, D]` and `pooled` `[B, D]`, the mean over the tokens that count.
  public func callAsFunction(_ ids: Tensor, mask: Tensor) -> (sequence: Tensor, pooled: Tensor) {
    var hidden = tokens(ids) + positions.narrow(0, start: 0, length: ids.size(1))
    let attentionMask = mask.unsqueeze(1).unsqueeze(1)
    for layer in layers { hidden = layer(hidden, mask: attentionMask) }
    hidden = norm(hidden)
    let weight = mask.to(hidden.dtype).unsqueeze(-1)
    // A prompt without a single token has a summary too: zeros.
    let pooled = (hidden * weight).sum([1]) / weight.sum([1]).clamp(min: 1)
    return (hidden, pooled)
  }

  /// Without an `attention_mask` every id other than 0 counts.
  /// - Returns: `last_hidden_state` `[B, L, D]` and `pooled_output` `[B, D]`.
  /// - Throws: ``ComponentError`` for missing and unknown names and for `input_ids` that are not `[B, L]` with L at most the configured
  ///   length; `TensorError` when a computation fails, as for ids outside the vocabulary.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let ids = try required("input_ids", of: inputs)
    guard ids.rank == 2, ids.size(1) <= configuration.length else {
      throw ComponentError("'input_ids' must be [B, L] with L ≤ \(configuration.length), it is \(ids.shape)")
    }
    return try withTensorErrors {
      let result = self(ids.to(.int64), mask: inputs["attention_mask"]?.to(.bool) ?? ids.notEqual(0))
      return ["last_hidden_state": result.sequence, "pooled_output": result.pooled]
    }
  }
}

/// Pre-normalised self-attention and feed-forward. `[B, L, D] → [B, L, D]`.
struct PromptEncoderLayer: Sendable {
  let norm1: LayerNorm
  let attention: Attention
  let norm2: LayerNorm
  let feedForward: FeedForward

  init(_ configuration: PromptEncoderConfiguration, weights: Weights) {
    let size = configuration.hiddenSize
    norm1 = LayerNorm(weights["norm1"], size)
    attention = Attention(weights["attn"], size: size, heads: configuration.heads)
    norm2 = LayerNorm(weights["norm2"], size)
    feedForward = FeedForward(weights["ff"], size: size, hidden: 4 * size)
  }

  func callAsFunction(_ input: Tensor, mask: Tensor) -> Tensor {
    let hidden = input + attention(norm1(input), mask: mask)
    return hidden + feedForward(norm2(hidden))
  }
}
