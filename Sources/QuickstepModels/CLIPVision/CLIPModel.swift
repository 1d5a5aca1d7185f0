public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats

/// Both towers of CLIP with their projections into one space (Radford et al. 2021, arXiv 2103.00020): transformers' `CLIPModel`, with its names of
/// parameters.
public struct CLIPModel: Component {
  /// The arguments of transformers' class; each tower runs where its own is given.
  public static let inputs = ["input_ids?", "attention_mask?", "pixel_values?"]
  /// Texts.
  public let text: CLIPTextEncoder
  /// Pictures.
  public let vision: CLIPVisionEncoder

  /// Reads both towers' configurations and takes parameters from `text_model`, `text_projection`, `vision_model` and `visual_projection`.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile, weights: Weights) throws {
    let reader = SettingsReader(file)
    let projection = try reader.integer("projection_dim", 512)
    try reader.fixed("model_type", .string("clip"))
    // The temperature of training is a weight of its own and plays no part in the embeddings.
    reader.ignore(
      "text_config", "vision_config", "text_config_dict", "vision_config_dict", "logit_scale_init_value", "architectures",
      "initializer_factor", "torch_dtype", "dtype", "transformers_version")
    try reader.finish()
    let textFile = try Self.part("text_config", "CLIPTextModelWithProjection", of: file, projection: projection)
    text = CLIPTextEncoder(try CLIPTextConfiguration(textFile), weights: weights)
    let visionFile = try Self.part("vision_config", "CLIPVisionModelWithProjection", of: file, projection: projection)
    vision = CLIPVisionEncoder(try CLIPVisionConfiguration(visionFile), weights: weights)
  }

  /// - Returns: `text_embeds` `[B, P]` where `input_ids` are given and `image_embeds` `[B, P]` where `pixel_values` are; not scaled to length 1.
  /// - Throws: ``ComponentError`` for unknown names, wrong shapes, and when neither is given; `TensorError`.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    var outputs: [String: Tensor] = [:]
    var words = inputs
    words["pixel_values"] = nil
    if !words.isEmpty { outputs["text_embeds"] = try text.forward(words)["text_embeds"] }
    if let pixels = inputs["pixel_values"] { outputs["image_embeds"] = try vision.forward(["pixel_values": pixels])["image_embeds"] }
    guard !outputs.isEmpty else { throw ComponentError("CLIPModel takes input_ids, pixel_values, or both; neither is given") }
    return outputs
  }

  /// The configuration of one tower. Files of former library versions repeat all settings of generating text in it.
  private static func part(_ key: String, _ className: String, of file: ConfigurationFile, projection: Int) throws -> ConfigurationFile {
    guard let members = file.members[key]?.object else { throw FormatError(file.path, "the key '\(key)' is missing or no object") }
    var kept = members.filter { !librarySettings.contains($0.key) }
    kept["_class_name"] = .string(className)
    kept["projection_dim"] = .integer(projection)
    return ConfigurationFile(path: "\(file.path) (\(key))", members: kept)
  }

  private static let librarySettings: Set<String> = [
    "add_cross_attention", "bad_words_ids", "begin_suppress_tokens", "chunk_size_feed_forward", "cross_attention_hidden_size",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "id2label", "is_decoder",
    "is_encoder_decoder", "label2id", "length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams",
    "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores", "prefix", "problem_type", "pruned_heads",
    "remove_invalid_values", "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens",
    "task_specific_params", "temperature", "tf_legacy_loss", "tie_encoder_decoder", "tie_word_embeddings", "tokenizer_class", "top_k",
    "top_p",
    "torchscript", "typical_p", "use_bfloat16",
  ]
}
