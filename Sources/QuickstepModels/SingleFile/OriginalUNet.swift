import QuickstepFormats
import QuickstepNN

/// The U-Net as the original repositories name it (`input_blocks`, `middle_block`, `output_blocks`), told from its tensors alone.
///
/// Numbers of blocks, channels, places and depths of attention and the prompt's channels are read off the shapes. The number of heads cannot
/// be: models whose tokens enter attention through 1×1 convolutions have 8 (Stable Diffusion 1), those with linear layers have heads of 64
/// channels (2 and XL). Groups are 32.
struct OriginalUNet {
  /// One level, outermost first.
  private struct Level {
    /// Number of the level's first input block.
    var first: Int
    var layers = 0
    var channels = 0
    /// Transformer blocks in each layer's attention, 0 where there is none.
    var downDepths: [Int] = []
    var upDepths: [Int] = []
  }

  private let source: any TensorSource
  private let prefix: String
  private var levels: [Level]
  private let middleDepth: Int

  /// - Parameter prefix: before `input_blocks`, with its dot; empty for files that hold the network alone.
  /// - Throws: `FormatError` naming the block that fits no U-Net of these families.
  init(_ source: any TensorSource, prefix: String) throws {
    self.source = source
    self.prefix = prefix
    let scopes = Set(
      source.names.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count).split(separator: ".").prefix(4).joined(separator: ".") }
    )
    let blocks = OriginalBlocks(source: source, prefix: prefix, scopes: scopes)
    var levels = [Level(first: 1)]
    var index = 1
    while scopes.contains("input_blocks.\(index).0.op") || scopes.contains("input_blocks.\(index).0.in_layers") {
      if scopes.contains("input_blocks.\(index).0.op") {
        levels.append(Level(first: index + 1))
      } else {
        levels[levels.count - 1].layers += 1
        levels[levels.count - 1].downDepths.append(blocks.depth("input_blocks.\(index).1"))
        if levels[levels.count - 1].channels == 0 {
          levels[levels.count - 1].channels = try blocks.shape("input_blocks.\(index).0.out_layers.3.weight", rank: 4)[0]
        }
      }
      index += 1
    }
    guard levels.count <= 16, levels.allSatisfy({ $0.layers > 0 }) else {
      throw FormatError(source.origin, "its \(levels.count) levels of input blocks are those of no U-Net that is known here")
    }
    var output = 0
    for level in levels.indices.reversed() {
      for _ in 0...levels[level].layers {
        guard scopes.contains("output_blocks.\(output).0.in_layers") else {
          throw FormatError(source.origin, "the block '\(prefix)output_blocks.\(output)' is missing")
        }
        levels[level].upDepths.append(blocks.depth("output_blocks.\(output).1"))
        output += 1
      }
    }
    self.levels = levels
    middleDepth = blocks.depth("middle_block.1")
    try checkDepths()
  }

  /// The layers of one level are alike in all models of these families, and so the configuration has one number for each.
  private func checkDepths() throws {
    for (number, level) in levels.enumerated() {
      guard Set(level.downDepths).count == 1, Set(level.upDepths).count == 1 else {
        throw FormatError(source.origin, "the layers of level \(number) attend in different depths: \(level.downDepths), \(level.upDepths)")
      }
    }
    guard middleDepth > 0 else { throw FormatError(source.origin, "its middle has no attention, which is not supported in original names") }
    if let last = levels.last?.downDepths.first, last > 0, last != middleDepth {
      throw FormatError(
        source.origin, "the middle has \(middleDepth) transformer blocks and the last level \(last), which is not supported")
    }
  }

  private func tensor(_ name: String) -> [Int]? { source.info(prefix + name)?.shape }

  /// Our names, without the prefix on the original side.
  var names: ScopeNames { UNetScopeNames.make(layers: levels.map(\.layers), upAttends: levels.map { ($0.upDepths.first ?? 0) > 0 }) }

  /// Whether sizes and a pooled prompt enter (XL).
  var hasAddition: Bool { tensor("label_emb.0.0.weight") != nil }
  /// Channels of what enters there.
  var additionChannels: Int? { tensor("label_emb.0.0.weight")?.last }
  /// Tokens enter attention through linear layers (2 and XL).
  var usesLinearProjection: Bool { tensor("middle_block.1.proj_in.weight")?.count == 2 }
  /// Channels of the encoded prompt.
  var contextSize: Int? { tensor("middle_block.1.transformer_blocks.0.attn2.to_k.weight")?.last }
  /// Channels of a sample.
  var inChannels: Int? { tensor("input_blocks.0.0.weight").flatMap { $0.count == 4 ? $0[1] : nil } }

  /// - Parameter idCount: how many numbers enter beside the pooled prompt of `pooled` channels (XL: 6, its refiner: 5).
  /// - Throws: `FormatError` naming a tensor that is missing or is no table of numbers.
  func configuration(sampleSize: Int, idCount: Int, pooled: Int?) throws -> ConfigurationFile {
    let blocks = OriginalBlocks(source: source, prefix: prefix, scopes: [])
    let channels = levels.map(\.channels)
    let linear = usesLinearProjection
    let depths = levels.map { $0.downDepths[0] }
    // The innermost entry is the middle's as well.
    let downDepths = depths.enumerated().map { $0 == depths.count - 1 ? middleDepth : max(1, $1) }
    let upDepths = levels.map { max(1, $0.upDepths[0]) }
    var members: [String: JSONValue] = [
      "_class_name": .string("UNet2DConditionModel"), "sample_size": .integer(sampleSize),
      "in_channels": .integer(try blocks.shape("input_blocks.0.0.weight", rank: 4)[1]),
      "out_channels": .integer(try blocks.shape("out.2.weight", rank: 4)[0]),
      "block_out_channels": .array(channels.map { .integer($0) }),
      "layers_per_block": .array(levels.map { .integer($0.layers) }),
      "down_block_types": .array(levels.map { .string($0.downDepths[0] > 0 ? "CrossAttnDownBlock2D" : "DownBlock2D") }),
      "up_block_types": .array(levels.reversed().map { .string($0.upDepths[0] > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D") }),
      "transformer_layers_per_block": .array(downDepths.map { .integer($0) }),
      "reverse_transformer_layers_per_block": .array(upDepths.reversed().map { .integer($0) }),
      "attention_head_dim": .array(channels.map { .integer(linear ? max(1, $0 / 64) : 8) }),
      "cross_attention_dim": .integer(try blocks.shape("middle_block.1.transformer_blocks.0.attn2.to_k.weight", rank: 2)[1]),
      "use_linear_projection": .bool(linear), "norm_num_groups": .integer(32),
      "time_embedding_dim": .integer(try blocks.shape("time_embed.0.weight", rank: 2)[0]),
    ]
    if let guidance = tensor("time_embed.cond_proj.weight")?.last { members["time_cond_proj_dim"] = .integer(guidance) }
    if hasAddition {
      let total = try blocks.shape("label_emb.0.0.weight", rank: 2)[1]
      members["addition_embed_type"] = .string("text_time")
      members["projection_class_embeddings_input_dim"] = .integer(total)
      members["addition_time_embed_dim"] = .integer(pooled.map { max(1, (total - $0) / idCount) } ?? 256)
    }
    return ConfigurationFile(path: "\(source.origin) (unet, told from its tensors)", members: members)
  }
}

/// What can be asked of blocks by name.
struct OriginalBlocks {
  let source: any TensorSource
  let prefix: String
  let scopes: Set<String>

  /// Transformer blocks of an attention; 0 when there is none.
  func depth(_ scope: String) -> Int {
    guard source.info("\(prefix)\(scope).proj_in.weight") != nil else { return 0 }
    var depth = 0
    while source.info("\(prefix)\(scope).transformer_blocks.\(depth).norm1.weight") != nil { depth += 1 }
    return depth
  }

  func shape(_ name: String, rank: Int) throws -> [Int] {
    guard let info = source.info(prefix + name) else { throw FormatError(source.origin, "there is no tensor named \"\(prefix)\(name)\"") }
    guard info.shape.count == rank else {
      throw FormatError(source.origin, "tensor \"\(prefix)\(name)\" is \(info.shape); expected \(rank) dimensions")
    }
    return info.shape
  }
}

/// The original names of a U-Net's parts beside diffusers'.
enum UNetScopeNames {
  private static let residual = [
    ("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"), ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"), ("skip_connection", "conv_shortcut"),
  ]

  /// - Parameters:
  ///   - layers: residual blocks of each level on the way down, outermost first; there is one more on the way up.
  ///   - upAttends: whether a level attends on the way up.
  static func make(layers: [Int], upAttends: [Bool]) -> ScopeNames {
    var names = ScopeNames()
    let top = [
      ("time_embed.0", "time_embedding.linear_1"), ("time_embed.2", "time_embedding.linear_2"),
      ("time_embed.cond_proj", "time_embedding.cond_proj"), ("label_emb.0.0", "add_embedding.linear_1"),
      ("label_emb.0.2", "add_embedding.linear_2"), ("input_blocks.0.0", "conv_in"), ("out.0", "conv_norm_out"), ("out.2", "conv_out"),
      ("middle_block.1", "mid_block.attentions.0"),
    ]
    for (original, ours) in top { names.add(original, ours) }
    names.add("middle_block.0", "mid_block.resnets.0", inner: residual)
    names.add("middle_block.2", "mid_block.resnets.1", inner: residual)
    var input = 1
    for (level, count) in layers.enumerated() {
      for layer in 0..<count {
        names.add("input_blocks.\(input).0", "down_blocks.\(level).resnets.\(layer)", inner: residual)
        names.add("input_blocks.\(input).1", "down_blocks.\(level).attentions.\(layer)")
        input += 1
      }
      if level < layers.count - 1 {
        names.add("input_blocks.\(input).0.op", "down_blocks.\(level).downsamplers.0.conv")
        input += 1
      }
    }
    var output = 0
    for (block, level) in layers.indices.reversed().enumerated() {
      for layer in 0...layers[level] {
        names.add("output_blocks.\(output).0", "up_blocks.\(block).resnets.\(layer)", inner: residual)
        if upAttends[level] { names.add("output_blocks.\(output).1", "up_blocks.\(block).attentions.\(layer)") }
        if layer == layers[level], level > 0 {
          names.add("output_blocks.\(output).\(upAttends[level] ? 2 : 1).conv", "up_blocks.\(block).upsamplers.0.conv")
        }
        output += 1
      }
    }
    return names
  }
}
