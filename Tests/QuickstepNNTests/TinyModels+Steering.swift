import QuickstepFormats
import QuickstepTensor

extension TinyModel {
  /// What steers Stable Diffusion's U-Net.
  static let steering = [
    TinyModel(
      className: "ControlNetModel", variant: "",
      members: [
        "block_out_channels": numbers(8, 16), "norm_num_groups": .integer(4), "layers_per_block": .integer(1),
        "down_block_types": names("DownBlock2D", "CrossAttnDownBlock2D"), "cross_attention_dim": .integer(8),
        "attention_head_dim": .integer(2), "conditioning_channels": .integer(2), "conditioning_embedding_out_channels": numbers(4, 6),
      ]
    ) {
      [
        "sample": try random([2, 4, 8, 8], 1), "timestep": Tensor([20, 700] as [Float]), "encoder_hidden_states": try random([2, 4, 8], 2),
        "controlnet_cond": try random([2, 2, 16, 16], 3),
      ]
    },
    TinyModel(
      className: "UNet2DConditionModel", variant: "with attention of pixels",
      members: [
        "sample_size": .integer(8), "block_out_channels": numbers(8, 16), "norm_num_groups": .integer(4), "layers_per_block": .integer(1),
        "down_block_types": names("AttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": names("CrossAttnUpBlock2D", "AttnUpBlock2D"),
        "cross_attention_dim": .integer(4), "attention_head_dim": .integer(2),
      ]
    ) {
      [
        "sample": try random([2, 4, 8, 8], 1), "timestep": Tensor([20, 700] as [Float]),
        "encoder_hidden_states": try random([2, 4, 4], 2),
      ]
    },
  ]
}
