import QuickstepFormats
import QuickstepNN

/// The layers of one component that a LoRA may change, under all names by which LoRA files call them.
struct AdaptableLayers {
  /// Name of the component's folder.
  let part: String
  /// Shape of the weight by the layer's name.
  let shapes: [String: [Int]]
  /// Names with dots as underscores, ours and the original ones.
  private let flat: [String: String]

  init(part: String, source: any TensorSource) {
    var shapes: [String: [Int]] = [:]
    for name in source.names where name.hasSuffix(".weight") {
      if let shape = source.info(name)?.shape, shape.count == 2 || shape.count == 4 { shapes[String(name.dropLast(7))] = shape }
    }
    let original = part == "unet" ? Self.originalNames(shapes) : nil
    var flat: [String: String] = [:]
    for layer in shapes.keys {
      flat[layer.replacing(".", with: "_")] = layer
      // Files by kohya's scripts name text encoders with the scope that newer checkpoints leave out.
      if part.hasPrefix("text_encoder") { flat["text_model_" + layer.replacing(".", with: "_")] = layer }
      if let name = original?.name(of: layer) { flat[name.replacing(".", with: "_")] = layer }
    }
    self.part = part
    self.shapes = shapes
    self.flat = flat
  }

  /// Original names of a U-Net's layers, by ours.
  private static func originalNames(_ shapes: [String: [Int]]) -> ScopeNames? {
    var layers: [Int] = []
    while layers.count < 16, shapes["down_blocks.\(layers.count).resnets.0.conv1"] != nil {
      layers.append((0..<64).first { shapes["down_blocks.\(layers.count).resnets.\($0).conv1"] == nil } ?? 64)
    }
    guard !layers.isEmpty else { return nil }
    let upAttends = layers.indices.map { shapes["up_blocks.\(layers.count - 1 - $0).attentions.0.proj_in"] != nil }
    return UNetScopeNames.make(layers: layers, upAttends: upAttends).inverse
  }

  /// The layer that a name with underscores stands for.
  func layer(flat name: String) -> String? { flat[name] }

  /// The layer that a name with dots stands for, in today's spelling or a former one.
  func layer(dotted name: String) -> String? {
    var candidates = [name, name.replacing(".processor.", with: ".")]
    candidates += candidates.map { $0 + ".0" }
    if part.hasPrefix("text_encoder") {
      let renamed = [("to_q", "q_proj"), ("to_k", "k_proj"), ("to_v", "v_proj"), ("to_out", "out_proj")].compactMap { former, today in
        name.hasSuffix(".self_attn.\(former)") ? String(name.dropLast(former.count)) + today : nil
      }
      let all = [name] + renamed
      candidates = all + all.map { "text_model." + $0 } + all.filter { $0.hasPrefix("text_model.") }.map { String($0.dropFirst(11)) }
    }
    return candidates.first { shapes[$0] != nil }
  }
}

/// Where a module of a LoRA file belongs.
enum LoRANaming {
  private static let flatPrefixes = [
    ("lora_te1_", ["text_encoder"]), ("lora_te2_", ["text_encoder_2"]), ("lora_te3_", ["text_encoder_3"]), ("lora_te_", ["text_encoder"]),
    ("lora_unet_", ["unet", "transformer"]), ("lora_transformer_", ["transformer"]), ("lycoris_", ["transformer", "unet"]),
  ]
  private static let parts = ["unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3"]

  /// The part that a file of one part is for whose names do not say so, as PEFT's: the one that most of its modules fit by name and shape. The
  /// denoiser comes first where several fit alike.
  /// - Parameters:
  ///   - names: of the file's modules.
  ///   - fits: whether a module suits a weight of this shape.
  static func home(of names: [String], in layers: [AdaptableLayers], fits: (_ module: Int, _ shape: [Int]) -> Bool) -> String? {
    let counts = parts.map { part in
      guard let own = layers.first(where: { $0.part == part }) else { return 0 }
      return names.indices.count { index in
        own.layer(dotted: bare(names[index])).flatMap { own.shapes[$0] }.map { fits(index, $0) } ?? false
      }
    }
    guard let most = counts.max(), most > 0 else { return nil }
    return parts[counts.firstIndex(of: most) ?? 0]
  }

  /// Whether a module has the name that it has in the original transformers of FLUX or Stable Diffusion 3, with dots or underscores.
  static func isOriginalTransformers(_ name: String) -> Bool {
    ["double_blocks", "single_blocks", "joint_blocks"].contains { name.contains($0) }
  }

  private static func bare(_ name: String) -> String {
    name.hasPrefix("base_model.model.") ? String(name.dropFirst("base_model.model.".count)) : name
  }

  /// The part and layer; `nil` when the model has none of that name.
  /// - Parameter home: where modules belong whose names say nothing of it.
  static func resolve(_ name: String, in layers: [AdaptableLayers], home: String?) -> (part: String, layer: String)? {
    if let (prefix, parts) = flatPrefixes.first(where: { name.hasPrefix($0.0) }) {
      let rest = String(name.dropFirst(prefix.count))
      for part in layers where parts.contains(part.part) {
        if let layer = part.layer(flat: rest) { return (part.part, layer) }
      }
      return nil
    }
    let bare = bare(name)
    for part in parts where bare.hasPrefix(part + ".") {
      let rest = String(bare.dropFirst(part.count + 1))
      // Inside of its folder's name every part is its own.
      return layers.first { $0.part == part }?.layer(dotted: rest).map { (part, $0) }
    }
    for part in [home].compactMap(\.self) + parts {
      if let layer = layers.first(where: { $0.part == part })?.layer(dotted: bare) { return (part, layer) }
    }
    return nil
  }
}
