import QuickstepFormats

/// Configuration of ``Gemma2Encoder``, read from transformers' `config.json`. Keys are those of `Gemma2Config`.
public struct Gemma2Configuration: Sendable, Hashable {
  /// What a block attends to.
  public enum Span: String, Sendable {
    /// Every earlier token.
    case full = "full_attention"
    /// The last ``Gemma2Configuration/window`` tokens, itself included.
    case sliding = "sliding_attention"
  }

  /// Rows of the token table.
  public var vocabularySize: Int
  /// Channels of a token, and between the layers of a block's feed-forward part.
  public var hiddenSize: Int, feedForwardSize: Int
  /// Of every block, in order.
  public var spans: [Span]
  /// Heads of the queries; of keys and values, each of which serves several of the former; channels of a head.
  public var heads: Int, keyHeads: Int, headSize: Int
  /// GELU in its tanh form, and not in its exact one.
  public var usesTanhGELU: Bool
  /// Of every normalisation.
  public var epsilon: Double
  /// Base of the rotary frequencies.
  public var rotaryBase: Double
  /// Whether projections of the attention have a bias.
  public var hasAttentionBias: Bool
  /// Scores are divided by the root of this (`query_pre_attn_scalar`).
  public var queryScale: Double
  /// Scores s become c·tanh(s/c); `nil`: they stay as they are.
  public var scoreCap: Double?
  /// Tokens that a sliding block sees; `nil` only where no block slides.
  public var window: Int?

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    vocabularySize = try reader.integer("vocab_size", 256000, in: 1...1_000_000)
    hiddenSize = try reader.integer("hidden_size", 2304)
    feedForwardSize = try reader.integer("intermediate_size", 9216, in: 1...1_000_000)
    let layers = try reader.integer("num_hidden_layers", 26, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 8, in: 1...1024)
    keyHeads = try reader.integer("num_key_value_heads", 4, in: 1...1024)
    headSize = try reader.integer("head_dim", 256, in: 2...4096)
    usesTanhGELU = try reader.text("hidden_activation", "gelu_pytorch_tanh", of: ["gelu_pytorch_tanh", "gelu"]) == "gelu_pytorch_tanh"
    epsilon = try reader.number("rms_norm_eps", 1e-6)
    hasAttentionBias = try reader.flag("attention_bias", false)
    queryScale = try reader.number("query_pre_attn_scalar", 256)
    rotaryBase = try Self.rotaryBase(file, reader)
    // `null` is no absence here: it switches the cap off.
    scoreCap = file.members["attn_logit_softcapping"] == .null ? nil : try reader.number("attn_logit_softcapping", 50)
    window = file.members["sliding_window"] == .null ? nil : try reader.integer("sliding_window", 4096, in: 1...1_000_000_000)
    spans = try Self.spans(file, reader, count: layers)
    try reader.fixed("model_type", .string("gemma2"))
    try reader.fixed("use_bidirectional_attention", .bool(false))
    // Said a second time by files of early versions, which no version of the library reads.
    try reader.fixed("hidden_act", .string("gelu_pytorch_tanh"))
    // Of training, of generating text, of the library, and of tokenizing. Positions are rotations, of which there is no last one.
    reader.ignore(
      "architectures", "attention_dropout", "bos_token_id", "cache_implementation", "dtype", "eos_token_id", "final_logit_softcapping",
      "gradient_checkpointing", "initializer_range", "max_position_embeddings", "pad_token_id", "tie_word_embeddings", "torch_dtype",
      "transformers_version", "use_cache")
    try reader.finish()
    try check(reader)
  }

  /// In a key of its own, or among `rope_parameters` since version 5 of the library.
  private static func rotaryBase(_ file: ConfigurationFile, _ reader: SettingsReader) throws -> Double {
    reader.ignore("rope_parameters")
    // Stretched positions of other models.
    try reader.fixed("rope_scaling", .null)
    let plain = try reader.number("rope_theta", 10000)
    guard let value = file.members["rope_parameters"], value != .null else { return plain }
    guard let members = value.object else { throw FormatError(file.path, "'rope_parameters' is no object") }
    let inner = SettingsReader(ConfigurationFile(path: "\(file.path): rope_parameters", members: members))
    try inner.fixed("rope_type", .string("default"))
    let base = try inner.number("rope_theta", plain)
    try inner.finish()
    return base
  }

  /// As listed, or by turns, beginning with a sliding one.
  private static func spans(_ file: ConfigurationFile, _ reader: SettingsReader, count: Int) throws -> [Span] {
    guard let value = file.members["layer_types"], value != .null else {
      return (0..<count).map { $0 % 2 == 0 ? .sliding : .full }
    }
    reader.ignore("layer_types")
    let spans = value.array?.map { $0.string.flatMap(Span.init) } ?? []
    guard spans.count == count, !spans.contains(nil) else {
      throw FormatError(
        file.path,
        "'layer_types' is \(String(value.text.prefix(60))); expected 'full_attention' or 'sliding_attention' for each of \(count) blocks")
    }
    return spans.compactMap(\.self)
  }

  private func check(_ reader: SettingsReader) throws {
    try reader.require(
      heads % keyHeads == 0, "'num_attention_heads' is \(heads), no multiple of 'num_key_value_heads' (\(keyHeads))")
    try reader.require(headSize % 2 == 0, "'head_dim' is \(headSize); it must be even, since channels are turned in pairs")
    try reader.require(heads * headSize <= 65536, "'num_attention_heads' × 'head_dim' is \(heads * headSize); at most 65536")
    try reader.require(queryScale > 0, "'query_pre_attn_scalar' is \(queryScale); it must be above 0")
    try reader.require(rotaryBase > 0, "'rope_theta' is \(rotaryBase); it must be above 0")
    try reader.require((scoreCap ?? 1) > 0, "'attn_logit_softcapping' is \(scoreCap ?? 0); it must be above 0, or null for none")
    try reader.require(
      window != nil || !spans.contains(.sliding), "'sliding_window' is null, and 'layer_types' names a 'sliding_attention'")
  }
}
