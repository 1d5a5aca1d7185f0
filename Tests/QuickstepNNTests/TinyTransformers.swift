import QuickstepFormats
import QuickstepTensor

/// Text encoders and transformers of published text-to-image models.
extension TinyModel {
  private static let times = Tensor([20, 700] as [Float])

  private static func prompt(_ channels: Int) throws -> Tensor { try random([2, 3, channels], 2) }

  static let t5 = TinyModel(
    className: "T5EncoderModel", variant: "",
    members: [
      "vocab_size": .integer(12), "d_model": .integer(8), "d_kv": .integer(3), "d_ff": .integer(12), "num_layers": .integer(2),
      "num_heads": .integer(2), "relative_attention_num_buckets": .integer(8), "relative_attention_max_distance": .integer(16),
    ]
  ) {
    [
      "input_ids": Tensor([2, 5, 7, 11, 0, 2, 8, 1, 11, 9], shape: [2, 5]),
      "attention_mask": Tensor([1, 1, 1, 1, 0, 1, 1, 1, 1, 1], shape: [2, 5]),
    ]
  }

  static let gemma: [TinyModel] = ["Gemma2Model", "Gemma2ForCausalLM"].map { name in
    var tiny = TinyModel(
      className: name, variant: "",
      members: [
        "vocab_size": .integer(12), "hidden_size": .integer(8), "intermediate_size": .integer(12), "num_hidden_layers": .integer(2),
        "num_attention_heads": .integer(4), "num_key_value_heads": .integer(2), "head_dim": .integer(4), "sliding_window": .integer(3),
      ]
    ) {
      [
        "input_ids": Tensor([2, 5, 7, 11, 0, 2, 8, 1, 11, 9], shape: [2, 5]),
        "attention_mask": Tensor([1, 1, 1, 1, 0, 1, 1, 1, 1, 1], shape: [2, 5]),
      ]
    }
    tiny.savedAs = "Gemma2Model"
    return tiny
  }

  static let flux = TinyModel(
    className: "FluxTransformer2DModel", variant: "",
    members: [
      "in_channels": .integer(8), "num_layers": .integer(2), "num_single_layers": .integer(2), "attention_head_dim": .integer(8),
      "num_attention_heads": .integer(2), "joint_attention_dim": .integer(6), "pooled_projection_dim": .integer(5),
      "guidance_embeds": .bool(true), "axes_dims_rope": numbers(2, 4, 2),
    ], stateShape: [2, 4, 6]
  ) {
    [
      "hidden_states": try random([2, 6, 8], 1), "encoder_hidden_states": try prompt(6), "pooled_projections": try random([2, 5], 3),
      "timestep": Tensor([0.02, 0.7] as [Float]), "guidance": Tensor([1, 3.5] as [Float]),
      "img_ids": Tensor([0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 1, 0, 1, 2] as [Float], shape: [1, 6, 3]).expand([2, 6, 3]),
      "txt_ids": .zeros([2, 3, 3]),
    ]
  }

  static let sd3 = TinyModel(
    className: "SD3Transformer2DModel", variant: "",
    members: [
      "sample_size": .integer(4), "in_channels": .integer(4), "out_channels": .integer(4), "num_layers": .integer(2),
      "attention_head_dim": .integer(4), "num_attention_heads": .integer(2), "joint_attention_dim": .integer(6),
      "caption_projection_dim": .integer(8), "pooled_projection_dim": .integer(5), "pos_embed_max_size": .integer(6),
      "dual_attention_layers": numbers(0), "qk_norm": .string("rms_norm"),
    ],
    // The last block's prompt is only attended to.
    idle: ["add_q_proj.weight", "add_q_proj.bias", "norm_added_q.weight"].reduce(into: []) { $0.insert("transformer_blocks.1.attn.\($1)") }
  ) {
    [
      "hidden_states": try random([2, 4, 4, 6], 1), "encoder_hidden_states": try prompt(6), "pooled_projections": try random([2, 5], 3),
      "timestep": times,
    ]
  }

  static let pixArt = TinyModel(
    className: "PixArtTransformer2DModel", variant: "",
    members: [
      "num_attention_heads": .integer(2), "attention_head_dim": .integer(6), "in_channels": .integer(4), "out_channels": .integer(4),
      "num_layers": .integer(2), "cross_attention_dim": .integer(12), "sample_size": .integer(4), "caption_channels": .integer(6),
      "use_additional_conditions": .bool(true),
    ]
  ) {
    [
      "hidden_states": try random([2, 4, 4, 6], 1), "encoder_hidden_states": try prompt(6), "timestep": times,
      "encoder_attention_mask": Tensor([1, 1, 0, 1, 1, 1] as [Float], shape: [2, 3]),
      "resolution": Tensor([512, 768, 1024, 1024] as [Float], shape: [2, 2]), "aspect_ratio": Tensor([0.67, 1] as [Float], shape: [2, 1]),
    ]
  }

  static let sana = TinyModel(
    className: "SanaTransformer2DModel", variant: "",
    members: [
      "in_channels": .integer(4), "out_channels": .integer(4), "num_attention_heads": .integer(2), "attention_head_dim": .integer(6),
      "num_layers": .integer(2), "num_cross_attention_heads": .integer(3), "cross_attention_head_dim": .integer(4),
      "cross_attention_dim": .integer(12), "caption_channels": .integer(6), "sample_size": .integer(4),
    ]
  ) {
    [
      "hidden_states": try random([2, 4, 4, 6], 1), "encoder_hidden_states": try prompt(6), "timestep": times,
      "encoder_attention_mask": Tensor([1, 1, 0, 1, 1, 1] as [Float], shape: [2, 3]),
    ]
  }

  /// Those that denoise.
  static let denoisers = [flux, sd3, pixArt, sana]

  static let transformers = [t5] + gemma + denoisers
}
