import QuickstepFormats
import QuickstepTensor

/// Codecs of published models, besides those of the Stable Diffusion family.
extension TinyModel {
  static let codecs = [
    TinyModel(
      className: "AutoencoderDC", variant: "",
      members: [
        "latent_channels": .integer(4), "attention_head_dim": .integer(4), "encoder_block_out_channels": numbers(4, 8),
        "decoder_block_out_channels": numbers(4, 8), "encoder_layers_per_block": numbers(1, 1), "decoder_layers_per_block": numbers(1, 1),
        "encoder_block_types": .array([.string("ResBlock"), .string("EfficientViTBlock")]),
        "decoder_block_types": .array([.string("ResBlock"), .string("EfficientViTBlock")]),
        "encoder_qkv_multiscales": .array([.array([]), numbers(3)]), "decoder_qkv_multiscales": .array([.array([]), numbers(3, 5)]),
      ]
    ) { ["sample": try random([2, 3, 8, 6], 1)] },
    TinyModel(
      className: "VQModel", variant: "",
      members: [
        "block_out_channels": numbers(8, 16), "norm_num_groups": .integer(4), "num_vq_embeddings": .integer(6), "vq_embed_dim": .integer(2),
        "down_block_types": .array([.string("DownEncoderBlock2D"), .string("DownEncoderBlock2D")]),
        "up_block_types": .array([.string("UpDecoderBlock2D"), .string("UpDecoderBlock2D")]),
      ]
    ) { ["sample": try random([2, 3, 8, 8], 1)] },
  ]
}
