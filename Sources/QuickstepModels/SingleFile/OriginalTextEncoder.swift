import QuickstepFormats
import QuickstepNN

/// A CLIP text tower in an original single file: under transformers' names (OpenAI's tower) or under open_clip's, where queries, keys and
/// values are one matrix. Told from its tensors alone; heads have 64 channels, as in all published towers.
struct OriginalTextEncoder {
  /// What a family does with its tower.
  struct Use {
    /// Scope of the tower in the file, with its dot.
    var prefix: String
    /// The component it becomes.
    var part: String
    /// Whether the projected summary is used (XL's second tower).
    var isProjected: Bool
    /// Stable Diffusion 2 was trained on the last layer but one, normalised: its towers go without their last layer.
    var dropsLast: Bool
    /// The token after the end of a prompt: `!` for open_clip's towers.
    var padsWithExclamation: Bool
  }

  let use: Use
  private let blocks: OriginalBlocks
  private let isOpenCLIP: Bool
  /// The scope below which the layers lie, with its dot.
  private let layerScope: String
  private let storedLayers: Int

  /// - Throws: `FormatError` when there are no layers.
  init(_ source: any TensorSource, _ use: Use) throws {
    self.use = use
    blocks = OriginalBlocks(source: source, prefix: use.prefix, scopes: [])
    func has(_ name: String) -> Bool { source.info(use.prefix + name) != nil }
    isOpenCLIP = has("token_embedding.weight")
    let scopes = isOpenCLIP ? ["transformer.resblocks."] : ["text_model.encoder.layers.", "encoder.layers."]
    let norm = isOpenCLIP ? "ln_1" : "layer_norm1"
    guard let scope = scopes.first(where: { has("\($0)0.\(norm).weight") }) else {
      throw FormatError(
        source.origin, "there is no tensor named \"\(use.prefix)\(scopes[0])0.\(norm).weight\"; the text encoder is not complete")
    }
    layerScope = scope
    storedLayers = (0..<1000).first { !has("\(scope)\($0).\(norm).weight") } ?? 1000
  }

  /// Whether the file has the tower as it was trained, with what Stable Diffusion 2 leaves out. Files made from diffusers folders lack it.
  private var isWhole: Bool {
    isOpenCLIP
      ? blocks.source.info(use.prefix + "text_projection") != nil || blocks.source.info(use.prefix + "logit_scale") != nil
      : storedLayers == 24
  }

  private var layers: Int { use.dropsLast && isWhole ? max(1, storedLayers - 1) : storedLayers }

  /// Our views of the tower's tensors by name, and the stored names that are left out on purpose.
  func views() -> (views: [String: TensorView], ignored: Set<String>) {
    var views: [String: TensorView] = [:]
    var ignored: Set<String> = []
    for stored in blocks.source.names where stored.hasPrefix(use.prefix) {
      let name = String(stored.dropFirst(use.prefix.count))
      if isIgnored(name) {
        ignored.insert(stored)
      } else if isOpenCLIP {
        for (ours, view) in openCLIP(name, stored) { views[ours] = view }
      } else {
        for (ours, view) in transformers(name, stored) { views[ours] = view }
      }
    }
    return (views, ignored)
  }

  private func isIgnored(_ name: String) -> Bool {
    let buffers = ["position_ids", "logit_scale", "attn_mask"]
    if buffers.contains(where: { name == $0 || name.hasSuffix("." + $0) }) { return true }
    if !use.isProjected, name == "text_projection" || name == "text_projection.weight" || name == "text_model.text_projection" {
      return true
    }
    if name.hasPrefix("vision_model.") || name.hasPrefix("visual_projection.") || name.hasPrefix("visual.") { return true }
    return layers < storedLayers && name.hasPrefix("\(layerScope)\(storedLayers - 1).")
  }

  /// What one stored tensor under transformers' names becomes. Converters to GGUF put open_clip's projection and fused matrices among them,
  /// as they were.
  private func transformers(_ name: String, _ stored: String) -> [(String, TensorView)] {
    if name == "text_model.text_projection" { return [("text_projection.weight", TensorView(stored, [.transposed]))] }
    for kind in ["weight", "bias"] where name.hasSuffix(".self_attn.in_proj.\(kind)") {
      return fused(String(name.dropLast("in_proj.\(kind)".count)), kind, stored)
    }
    return [(name, TensorView(stored))]
  }

  /// Queries, keys and values of one matrix.
  private func fused(_ scope: String, _ kind: String, _ stored: String) -> [(String, TensorView)] {
    ["q_proj", "k_proj", "v_proj"].enumerated().map { ("\(scope)\($1).\(kind)", TensorView(stored, [.part($0, of: 3)])) }
  }

  private static let openCLIPNames: ScopeNames = {
    var names = ScopeNames()
    for (original, ours) in [
      ("token_embedding", "text_model.embeddings.token_embedding"), ("ln_final", "text_model.final_layer_norm"),
    ] { names.add(original, ours) }
    return names
  }()

  private static let openCLIPLayer = [
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2", "attn.out_proj": "self_attn.out_proj",
  ]

  /// What one stored tensor becomes; nothing when it is not known.
  private func openCLIP(_ name: String, _ stored: String) -> [(String, TensorView)] {
    if name == "positional_embedding" { return [("text_model.embeddings.position_embedding.weight", TensorView(stored))] }
    // The summary is multiplied from the left there.
    if name == "text_projection" { return [("text_projection.weight", TensorView(stored, [.transposed]))] }
    if let ours = Self.openCLIPNames.name(of: name) { return [(ours, TensorView(stored))] }
    guard name.hasPrefix(layerScope) else { return [] }
    let rest = name.dropFirst(layerScope.count)
    guard let dot = rest.firstIndex(of: ".") else { return [] }
    let scope = "text_model.encoder.layers.\(rest[..<dot])."
    let inner = String(rest[rest.index(after: dot)...])
    for kind in ["weight", "bias"] where inner == "attn.in_proj_\(kind)" { return fused("\(scope)self_attn.", kind, stored) }
    guard let end = inner.lastIndex(of: "."), let ours = Self.openCLIPLayer[String(inner[..<end])] else { return [] }
    return [("\(scope)\(ours)\(inner[end...])", TensorView(stored))]
  }

  /// Channels of the projected summary.
  var projectionSize: Int? { views().views["text_projection.weight"].flatMap { view in blocks.source.info(view.name)?.shape.last } }

  /// - Throws: `FormatError` naming a tensor that is missing or has the wrong rank.
  func configuration() throws -> ConfigurationFile {
    let inner = layerScope.hasPrefix("text_model.") ? "text_model." : ""
    let tokens = try blocks.shape(isOpenCLIP ? "token_embedding.weight" : "\(inner)embeddings.token_embedding.weight", rank: 2)
    let positions = try blocks.shape(isOpenCLIP ? "positional_embedding" : "\(inner)embeddings.position_embedding.weight", rank: 2)
    let hidden = try blocks.shape("\(layerScope)0.mlp.\(isOpenCLIP ? "c_fc" : "fc1").weight", rank: 2)[0]
    let className = use.isProjected ? "CLIPTextModelWithProjection" : "CLIPTextModel"
    var members: [String: JSONValue] = [
      "_class_name": .string(className), "architectures": .array([.string(className)]), "vocab_size": .integer(tokens[0]),
      "hidden_size": .integer(tokens[1]), "intermediate_size": .integer(hidden), "num_hidden_layers": .integer(layers),
      "num_attention_heads": .integer(max(1, tokens[1] / 64)), "max_position_embeddings": .integer(positions[0]),
      "hidden_act": .string(usesExactGELU(width: tokens[1]) ? "gelu" : "quick_gelu"),
      // The end token is the largest number of a vocabulary; 2 has the encoder look for the largest.
      "eos_token_id": .integer(2),
    ]
    if use.isProjected {
      guard let size = projectionSize else {
        throw FormatError(blocks.source.origin, "there is no tensor named \"\(use.prefix)text_projection\"")
      }
      members["projection_dim"] = .integer(size)
    }
    return ConfigurationFile(path: "\(blocks.source.origin) (\(use.part), told from its tensors)", members: members)
  }

  /// OpenAI's towers have the quick form; open_clip's, wider ones, the exact one, whatever names a converter gave them.
  private func usesExactGELU(width: Int) -> Bool { isOpenCLIP || use.padsWithExclamation || width > 768 }
}
