import QuickstepFormats
import QuickstepNN

/// The transformers of FLUX.1 (`double_blocks`, `single_blocks`) and Stable Diffusion 3 (`joint_blocks`) as the original repositories name them:
/// which stored tensor each of ours is, or which rows of one.
///
/// Queries, keys and values are stored as one matrix, in FLUX's blocks of one stream with the first feed-forward layer below them. Where a modulation has
/// a shift and a scale alone, the original has the shift first and diffusers the scale.
struct OriginalTransformer {
  /// By our names.
  private(set) var views: [String: TensorView] = [:]
  private let source: any TensorSource
  private let prefix: String

  /// `nil` for files in other names.
  /// - Throws: `FormatError` naming tensors that belong to no such network, and those whose shape does not fit.
  init?(_ source: any TensorSource) throws {
    self.source = source
    func prefix(_ tensor: String) -> String? {
      ["", OriginalFamily.networkPrefix].first { source.info($0 + tensor) != nil }
    }
    if let found = prefix("double_blocks.0.img_attn.qkv.weight") {
      self.prefix = found
      try takeFlux()
    } else if let found = prefix("joint_blocks.0.x_block.attn.qkv.weight") {
      self.prefix = found
      try takeStableDiffusion3()
    } else {
      return nil
    }
    let used = Set(views.values.map(\.name))
    let unknown = source.names.filter { $0.hasPrefix(self.prefix) && !used.contains($0) && !IgnoredKeys.contains($0) }
    guard unknown.isEmpty else {
      throw FormatError(
        source.origin, "has \(unknown.count) tensors that belong to no such transformer: \(unknown.prefix(8).joined(separator: ", "))")
    }
  }

  /// One past the largest number after `list.`. Names with numbers that no network has are left to be refused as unknown.
  private func count(_ list: String) -> Int {
    let start = prefix + list + "."
    let numbers = source.names.compactMap { $0.hasPrefix(start) ? $0.dropFirst(start.count).prefix { $0 != "." } : nil }
    return (numbers.compactMap { Int($0) }.filter((0..<1000).contains).max() ?? -1) + 1
  }

  /// `weight`, `bias` and whatever else is there below a scope, under another.
  private mutating func move(_ original: String, _ ours: String, _ steps: [TensorView.Step] = []) {
    for kind in ["weight", "bias"] where source.info("\(prefix)\(original).\(kind)") != nil {
      views["\(ours).\(kind)"] = TensorView("\(prefix)\(original).\(kind)", steps)
    }
  }

  /// A tensor of its own name.
  private mutating func take(_ original: String, _ ours: String) {
    if source.info(prefix + original) != nil { views[ours] = TensorView(prefix + original) }
  }

  /// Queries, keys and values out of one matrix.
  private mutating func split(_ original: String, _ scope: String, _ names: [String] = ["to_q", "to_k", "to_v"]) {
    for (part, name) in names.enumerated() { move(original, "\(scope).\(name)", [.part(part, of: 3)]) }
  }

  private static let added = ["add_q_proj", "add_k_proj", "add_v_proj"]

  private mutating func embed(_ original: String, _ ours: String, layers: (String, String)) {
    move("\(original).\(layers.0)", "time_text_embed.\(ours).linear_1")
    move("\(original).\(layers.1)", "time_text_embed.\(ours).linear_2")
  }

  private mutating func takeFlux() throws {
    for (original, ours) in [("time_in", "timestep_embedder"), ("vector_in", "text_embedder"), ("guidance_in", "guidance_embedder")] {
      embed(original, ours, layers: ("in_layer", "out_layer"))
    }
    for (original, ours) in [("txt_in", "context_embedder"), ("img_in", "x_embedder"), ("final_layer.linear", "proj_out")] {
      move(original, ours)
    }
    move("final_layer.adaLN_modulation.1", "norm_out.linear", [.halvesSwapped])
    for index in 0..<count("double_blocks") {
      let (block, ours) = ("double_blocks.\(index)", "transformer_blocks.\(index)")
      let streams = [("img", "", "to_out.0", ["to_q", "to_k", "to_v"], ""), ("txt", "_context", "to_add_out", Self.added, "added_")]
      for (stream, suffix, output, projections, norm) in streams {
        move("\(block).\(stream)_mod.lin", "\(ours).norm1\(suffix).linear")
        split("\(block).\(stream)_attn.qkv", "\(ours).attn", projections)
        move("\(block).\(stream)_attn.proj", "\(ours).attn.\(output)")
        for (kind, letter) in [("query", "q"), ("key", "k")] {
          take("\(block).\(stream)_attn.norm.\(kind)_norm.scale", "\(ours).attn.norm_\(norm)\(letter).weight")
        }
        move("\(block).\(stream)_mlp.0", "\(ours).ff\(suffix).net.0.proj")
        move("\(block).\(stream)_mlp.2", "\(ours).ff\(suffix).net.2")
      }
    }
    for index in 0..<count("single_blocks") {
      try takeFluxSingle("single_blocks.\(index)", "single_transformer_blocks.\(index)")
    }
  }

  private mutating func takeFluxSingle(_ block: String, _ ours: String) throws {
    move("\(block).modulation.lin", "\(ours).norm.linear")
    move("\(block).linear2", "\(ours).proj_out")
    for (kind, letter) in [("query", "q"), ("key", "k")] {
      take("\(block).norm.\(kind)_norm.scale", "\(ours).attn.norm_\(letter).weight")
    }
    // [3·C + hidden, C].
    guard let shape = source.info("\(prefix)\(block).linear1.weight")?.shape, shape.count == 2, shape[0] > 3 * shape[1] else {
      throw FormatError(
        source.origin, "'\(prefix)\(block).linear1.weight' is missing or is no matrix of more than three times as many rows as columns")
    }
    let size = shape[1]
    for (part, name) in ["attn.to_q", "attn.to_k", "attn.to_v"].enumerated() {
      move("\(block).linear1", "\(ours).\(name)", [.rows(part * size..<(part + 1) * size)])
    }
    move("\(block).linear1", "\(ours).proj_mlp", [.rows(3 * size..<shape[0])])
  }

  private mutating func takeStableDiffusion3() throws {
    take("pos_embed", "pos_embed.pos_embed")
    move("x_embedder.proj", "pos_embed.proj")
    for (original, ours) in [("t_embedder", "timestep_embedder"), ("y_embedder", "text_embedder")] {
      embed(original, ours, layers: ("mlp.0", "mlp.2"))
    }
    for (original, ours) in [("context_embedder", "context_embedder"), ("final_layer.linear", "proj_out")] { move(original, ours) }
    move("final_layer.adaLN_modulation.1", "norm_out.linear", [.halvesSwapped])
    let count = count("joint_blocks")
    for index in 0..<count {
      let (block, ours) = ("joint_blocks.\(index)", "transformer_blocks.\(index)")
      attention("\(block).x_block.attn", "\(ours).attn", output: "to_out.0")
      attention("\(block).x_block.attn2", "\(ours).attn2", output: "to_out.0")
      attention("\(block).context_block.attn", "\(ours).attn", output: "to_add_out", isAdded: true)
      move("\(block).x_block.adaLN_modulation.1", "\(ours).norm1.linear")
      // The prompt's last modulation has a shift and a scale alone.
      move("\(block).context_block.adaLN_modulation.1", "\(ours).norm1_context.linear", index == count - 1 ? [.halvesSwapped] : [])
      for (stream, suffix) in [("x_block", ""), ("context_block", "_context")] {
        move("\(block).\(stream).mlp.fc1", "\(ours).ff\(suffix).net.0.proj")
        move("\(block).\(stream).mlp.fc2", "\(ours).ff\(suffix).net.2")
      }
    }
  }

  private mutating func attention(_ original: String, _ ours: String, output: String, isAdded: Bool = false) {
    split("\(original).qkv", ours, isAdded ? Self.added : ["to_q", "to_k", "to_v"])
    move("\(original).proj", "\(ours).\(output)")
    for letter in ["q", "k"] { take("\(original).ln_\(letter).weight", "\(ours).norm_\(isAdded ? "added_" : "")\(letter).weight") }
  }
}
