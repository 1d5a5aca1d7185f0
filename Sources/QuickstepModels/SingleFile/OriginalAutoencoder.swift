import QuickstepFormats
import QuickstepNN

/// The autoencoder as the original repositories name it (`encoder.down`, `decoder.up`), told from its tensors alone. Groups are 32.
struct OriginalAutoencoder {
  private let blocks: OriginalBlocks
  private let levels: Int
  private let layers: Int

  /// - Parameter prefix: before `encoder`, with its dot; empty for files that hold the autoencoder alone.
  /// - Throws: `FormatError` when there are no levels.
  init(_ source: any TensorSource, prefix: String) throws {
    blocks = OriginalBlocks(source: source, prefix: prefix, scopes: [])
    func has(_ name: String) -> Bool { source.info(prefix + name) != nil }
    levels = (0..<16).first { !has("encoder.down.\($0).block.0.conv1.weight") } ?? 16
    layers = (0..<64).first { !has("encoder.down.0.block.\($0).conv1.weight") } ?? 64
    guard levels > 0 else {
      throw FormatError(
        source.origin, "there is no tensor named \"\(prefix)encoder.down.0.block.0.conv1.weight\"; the autoencoder's encoder is missing")
    }
  }

  /// Our names, without the prefix on the original side.
  var names: ScopeNames {
    var names = ScopeNames()
    let attention = [("norm", "group_norm"), ("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")]
    for side in ["encoder", "decoder"] {
      for (original, ours) in [("conv_in", "conv_in"), ("norm_out", "conv_norm_out"), ("conv_out", "conv_out")] {
        names.add("\(side).\(original)", "\(side).\(ours)")
      }
      for index in 0..<2 { residual(&names, "\(side).mid.block_\(index + 1)", "\(side).mid_block.resnets.\(index)") }
      names.add("\(side).mid.attn_1", "\(side).mid_block.attentions.0", inner: attention)
    }
    for (original, ours) in [("quant_conv", "quant_conv"), ("post_quant_conv", "post_quant_conv")] { names.add(original, ours) }
    for level in 0..<levels {
      let up = levels - 1 - level
      for layer in 0..<layers { residual(&names, "encoder.down.\(level).block.\(layer)", "encoder.down_blocks.\(level).resnets.\(layer)") }
      for layer in 0...layers { residual(&names, "decoder.up.\(level).block.\(layer)", "decoder.up_blocks.\(up).resnets.\(layer)") }
      names.add("encoder.down.\(level).downsample.conv", "encoder.down_blocks.\(level).downsamplers.0.conv")
      names.add("decoder.up.\(level).upsample.conv", "decoder.up_blocks.\(up).upsamplers.0.conv")
    }
    return names
  }

  private func residual(_ names: inout ScopeNames, _ original: String, _ ours: String) {
    names.add(original, ours)
    names.add("\(original).nin_shortcut", "\(ours).conv_shortcut")
  }

  /// What is done to a tensor besides its name: attention as 1×1 convolutions becomes attention by linear layers.
  func steps(_ name: String, rank: Int) -> [TensorView.Step] {
    let isAttention = ["to_q", "to_k", "to_v", "to_out.0"].contains { name.hasSuffix("mid_block.attentions.0.\($0).weight") }
    return isAttention && rank == 4 ? [.matrix] : []
  }

  /// - Throws: `FormatError` naming a tensor that is missing or is no convolution's weight.
  func configuration(scale: Double, sampleSize: Int) throws -> ConfigurationFile {
    let channels = try (0..<levels).map { try blocks.shape("encoder.down.\($0).block.0.conv1.weight", rank: 4)[0] }
    let moments = try blocks.shape("encoder.conv_out.weight", rank: 4)[0]
    func has(_ name: String) -> Bool { blocks.source.info(blocks.prefix + name) != nil }
    let members: [String: JSONValue] = [
      "_class_name": .string("AutoencoderKL"), "sample_size": .integer(sampleSize),
      "in_channels": .integer(try blocks.shape("encoder.conv_in.weight", rank: 4)[1]),
      "out_channels": .integer(try blocks.shape("decoder.conv_out.weight", rank: 4)[0]),
      "latent_channels": .integer(moments / 2), "block_out_channels": .array(channels.map { .integer($0) }),
      "down_block_types": .array(channels.map { _ in .string("DownEncoderBlock2D") }),
      "up_block_types": .array(channels.map { _ in .string("UpDecoderBlock2D") }), "layers_per_block": .integer(layers),
      "norm_num_groups": .integer(32), "scaling_factor": .number(scale), "use_quant_conv": .bool(has("quant_conv.weight")),
      "use_post_quant_conv": .bool(has("post_quant_conv.weight")), "mid_block_add_attention": .bool(has("encoder.mid.attn_1.q.weight")),
    ]
    return ConfigurationFile(path: "\(blocks.source.origin) (vae, told from its tensors)", members: members)
  }
}
