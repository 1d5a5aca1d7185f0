import QuickstepNN

/// Kinds of checkpoints that other programs write and this one does not run yet, told by keys that only they have.
enum ForeignCheckpoints {
  private struct Kind {
    var name: String
    var key: String
    /// A condition on the telling tensor's shape.
    var fits: @Sendable ([Int]) -> Bool = { _ in true }
  }

  /// The most specific first.
  private static let kinds: [Kind] = [
    Kind(name: "Playground 2.5", key: "edm_mean"),
    Kind(name: "inpainting model of the Stable Diffusion family", key: "input_blocks.0.0.weight") { $0.count == 4 && $0[1] == 9 },
    Kind(name: "Stable Diffusion XL", key: "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias"),
    Kind(name: "Stable Diffusion XL refiner", key: "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias"),
    Kind(name: "Stable Diffusion 2", key: "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight") { $0.last == 1024 },
    Kind(name: "Stable Diffusion 1", key: "output_blocks.11.0.skip_connection.weight"),
    Kind(name: "Stable Diffusion 3.5 large", key: "joint_blocks.37.x_block.mlp.fc1.weight"),
    Kind(name: "Stable Diffusion 3", key: "joint_blocks.0.context_block.adaLN_modulation.1.bias"),
    Kind(name: "Chroma", key: "distilled_guidance_layer.in_proj.bias"),
    Kind(name: "FLUX.2", key: "single_stream_modulation.lin.weight"),
    Kind(name: "FLUX.1", key: "double_blocks.0.img_attn.norm.key_norm.scale"),
    Kind(name: "Lumina 2", key: "cap_embedder.0.weight"),
    Kind(name: "Z-Image", key: "layers.0.adaLN_modulation.0.weight"),
    Kind(name: "Wan", key: "head.modulation"),
    Kind(name: "LTX-Video", key: "patchify_proj.weight"),
    Kind(name: "Sana", key: "blocks.0.cross_attn.q_linear.weight"),
    Kind(name: "Mochi", key: "blocks.0.attn.qkv_x.weight"),
  ]

  /// The name of the kind, if the keys tell it.
  static func name(_ source: any TensorSource) -> String? {
    for kind in kinds {
      // Single files keep the network under this prefix, exports of the network alone do not.
      let found = source.info(kind.key) ?? source.info("model.diffusion_model." + kind.key)
      if let found, kind.fits(found.shape) { return kind.name }
    }
    return adapter(source)
  }

  private static func adapter(_ source: any TensorSource) -> String? {
    for name in source.names {
      if name.contains(".hada_w1_") || name.contains(".lokr_w1") { return "LoHa or LoKr adapter" }
      if name.contains(".lora_") || name.contains("_lora.") { return "LoRA with other things in it" }
    }
    return nil
  }
}
