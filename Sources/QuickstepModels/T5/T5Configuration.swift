import QuickstepFormats

/// Configuration of ``T5Encoder``, read from transformers' `config.json`. Keys are those of `T5Config`.
public struct T5Configuration: Sendable, Hashable {
  /// Rows of the token table.
  public var vocabularySize: Int
  /// Channels of a token, and between the layers of a block's feed-forward part.
  public var hiddenSize: Int, feedForwardSize: Int
  /// Transformer blocks, attention heads, and channels of a head (heads × channels need not be `hiddenSize`).
  public var layers: Int, heads: Int, headSize: Int
  /// Number of learned distances between tokens, and the distance from which on all are the same.
  public var buckets: Int, longestDistance: Int
  /// Of every normalisation.
  public var epsilon: Double
  /// Feed-forward layers with a gate and GELU in its tanh form (version 1.1), and not with ReLU (version 1.0).
  public var isGated: Bool

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    vocabularySize = try reader.integer("vocab_size", 32128, in: 1...1_000_000)
    hiddenSize = try reader.integer("d_model", 512)
    feedForwardSize = try reader.integer("d_ff", 2048)
    layers = try reader.integer("num_layers", 6, in: 1...1000)
    heads = try reader.integer("num_heads", 8, in: 1...1024)
    headSize = try reader.integer("d_kv", 64, in: 1...4096)
    buckets = try reader.integer("relative_attention_num_buckets", 32, in: 4...65536)
    longestDistance = try reader.integer("relative_attention_max_distance", 128, in: 2...1_000_000)
    epsilon = try reader.number("layer_norm_epsilon", 1e-6)
    isGated = try reader.text("feed_forward_proj", "relu", of: ["relu", "gated-gelu"]) == "gated-gelu"
    // Both follow from the key above.
    try reader.fixed("is_gated_act", .bool(isGated))
    try reader.fixed("dense_act_fn", .string(isGated ? "gelu_new" : "relu"))
    try reader.fixed("model_type", .string("t5"))
    try reader.fixed("is_decoder", .bool(false))
    // Of training, of the decoder that is not there, of the library, and of tokenizing. The token table is the encoder's only one, so
    // whether it is tied to another changes nothing.
    reader.ignore(
      "architectures", "classifier_dropout", "decoder_start_token_id", "dropout_rate", "dtype", "eos_token_id", "gradient_checkpointing",
      "initializer_factor", "is_encoder_decoder", "n_positions", "num_decoder_layers", "output_past", "pad_token_id",
      "scale_decoder_outputs", "task_specific_params", "tie_word_embeddings", "torch_dtype", "transformers_version", "use_cache")
    try reader.finish()
    try reader.require(
      longestDistance > buckets / 4,
      "'relative_attention_max_distance' is \(longestDistance); it must be above a quarter of 'relative_attention_num_buckets' (\(buckets))"
    )
    try reader.require(heads * headSize <= 65536, "'num_heads' × 'd_kv' is \(heads * headSize); at most 65536")
  }
}
