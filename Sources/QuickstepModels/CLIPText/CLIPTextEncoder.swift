public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats

/// Configuration of ``CLIPTextEncoder``, read from transformers' `config.json`.
public struct CLIPTextConfiguration: Sendable, Hashable {
  /// Rows of the token table.
  public var vocabularySize: Int
  /// Channels of a token, and between the two layers of a block's feed-forward part.
  public var hiddenSize: Int, feedForwardSize: Int
  /// Transformer blocks.
  public var layers: Int
  /// Attention heads.
  public var heads: Int
  /// Most tokens of a prompt.
  public var length: Int
  /// Of every layer normalisation.
  public var epsilon: Double
  /// GELU as x·sigmoid(1.702·x) (OpenAI's models), and not in its exact form.
  public var usesQuickGELU: Bool
  /// The token that ends a prompt. 2 stands for the end token of checkpoints whose configuration is wrong about it: then it is the largest
  /// number of the prompt.
  public var endToken: Int
  /// Channels of the projected summary, in models that have a projection.
  public var projectionSize: Int?

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    vocabularySize = try reader.integer("vocab_size", 49408, in: 1...1_000_000)
    hiddenSize = try reader.integer("hidden_size", 512)
    feedForwardSize = try reader.integer("intermediate_size", 2048)
    layers = try reader.integer("num_hidden_layers", 12, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 8, in: 1...1024)
    length = try reader.integer("max_position_embeddings", 77)
    epsilon = try reader.number("layer_norm_eps", 1e-5)
    usesQuickGELU = try reader.text("hidden_act", "quick_gelu", of: ["quick_gelu", "gelu"]) == "quick_gelu"
    endToken = try reader.integer("eos_token_id", 49407, in: 0...1_000_000)
    let projection = try reader.integer("projection_dim", 512)
    projectionSize = file.className == "CLIPTextModelWithProjection" ? projection : nil
    try reader.fixed("model_type", .string("clip_text_model"))
    // Of training, of the library, and of tokenizing.
    reader.ignore(
      "architectures", "attention_dropout", "dropout", "initializer_factor", "initializer_range", "torch_dtype", "dtype",
      "transformers_version", "pad_token_id", "bos_token_id", "gradient_checkpointing")
    try reader.finish()
    try reader.require(hiddenSize % heads == 0, "'hidden_size' is \(hiddenSize), no multiple of 'num_attention_heads' (\(heads))")
  }

  var layer: CLIPLayerShape {
    CLIPLayerShape(size: hiddenSize, feedForwardSize: feedForwardSize, heads: heads, epsilon: epsilon, usesQuickGELU: usesQuickGELU)
  }
}

/// CLIP's text tower (Radford et al. 2021, arXiv 2103.00020): causal self-attention over the prompt's tokens; transformers' `CLIPTextModel`
/// and `CLIPTextModelWithProjection`, with their names of parameters, with or without the leading `text_model.`.
public struct CLIPTextEncoder: Component {
  /// The arguments of transformers' class.
  public static let inputs = ["input_ids", "attention_mask?"]
  /// As given to the initialiser.
  public let configuration: CLIPTextConfiguration
  let tokens: Embedding
  let positions: Tensor
  let layers: [CLIPLayer]
  let norm: LayerNorm
  let projection: Linear?

  /// What one pass gives.
  public struct Output: Sendable {
    /// The input and the result of every block before the final normalisation, `[B, L, D]` each: layers + 1 of them.
    public var hiddenStates: [Tensor]
    /// The last of them, normalised, `[B, L, D]`.
    public var sequence: Tensor
    /// `sequence` at the end token, `[B, D]`.
    public var pooled: Tensor
    /// `pooled` through the projection, `[B, P]`, in models that have one.
    public var projected: Tensor?
  }

  /// Parameters are taken from `weights`, below `text_model` where the checkpoint has it.
  public init(_ configuration: CLIPTextConfiguration, weights: Weights) {
    self.configuration = configuration
    let size = configuration.hiddenSize
    let scope = weights.has("embeddings.token_embedding.weight") ? weights : weights["text_model"]
    tokens = Embedding(scope["embeddings", "token_embedding"], count: configuration.vocabularySize, size: size)
    positions = scope["embeddings", "position_embedding"].parameter("weight", [configuration.length, size], initial: .normal(0.01))
    layers = (0..<configuration.layers).map { CLIPLayer(configuration.layer, weights: scope["encoder", "layers", $0]) }
    norm = LayerNorm(scope["final_layer_norm"], size, epsilon: configuration.epsilon)
    projection = configuration.projectionSize.map { Linear(weights["text_projection"], size, $0, bias: false) }
  }

  /// - Parameters:
  ///   - ids: `[B, L]` int64, L at most the configured length.
  ///   - mask: `[B, L]` boolean, true where a token counts; `nil` when all do, as diffusers' pipelines have it.
  public func callAsFunction(_ ids: Tensor, mask: Tensor? = nil) -> Output {
    let length = ids.size(1)
    var hidden = tokens(ids) + positions.narrow(0, start: 0, length: length)
    var visible = Tensor.ones([length, length], dtype: .float32, device: ids.device).triu(diagonal: 1).equal(0).unsqueeze(0).unsqueeze(0)
    if let mask { visible = visible.logicalAnd(mask.to(.bool).unsqueeze(1).unsqueeze(1)) }
    var states = [hidden]
    for layer in layers {
      hidden = layer(hidden, mask: visible)
      states.append(hidden)
    }
    let sequence = norm(hidden)
    let end = configuration.endToken == 2 ? ids.argmax(-1) : ids.equal(Scalar(configuration.endToken)).to(.int64).argmax(-1)
    let index = end.reshape([-1, 1, 1]).expand([ids.size(0), 1, configuration.hiddenSize])
    let pooled = sequence.gather(1, index: index).squeeze(1)
    return Output(hiddenStates: states, sequence: sequence, pooled: pooled, projected: projection.map { $0(pooled) })
  }

  /// - Returns: `last_hidden_state` `[B, L, D]`, `hidden_states.0` … (all `[B, L, D]`), `pooler_output` `[B, D]` and, in models with a
  ///   projection, `text_embeds` `[B, P]`.
  /// - Throws: ``ComponentError`` for missing and unknown names and for `input_ids` that are not `[B, L]` with L at most the configured
  ///   length; `TensorError` when a computation fails, as for ids outside the vocabulary.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let ids = try required("input_ids", of: inputs)
    guard ids.rank == 2, (1...configuration.length).contains(ids.size(1)) else {
      throw ComponentError("'input_ids' must be [B, L] with L in 1…\(configuration.length), it is \(ids.shape)")
    }
    return try withTensorErrors {
      let output = self(ids.to(.int64), mask: inputs["attention_mask"])
      var named = ["last_hidden_state": output.sequence, "pooler_output": output.pooled]
      for (index, state) in output.hiddenStates.enumerated() { named["hidden_states.\(index)"] = state }
      named["text_embeds"] = output.projected
      return named
    }
  }
}
