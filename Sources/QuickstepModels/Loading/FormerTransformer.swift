import QuickstepFormats

/// `Transformer2DModel`, under which diffusers kept several networks before version 0.29: checkpoints of DiT and PixArt still name it.
enum FormerTransformer {
  static let className = "Transformer2DModel"
  /// What it has become, by its `norm_type`.
  static let successors = ["ada_norm_single": "PixArtTransformer2DModel", "ada_norm_zero": "DiTTransformer2DModel"]

  /// The class a configuration is of today.
  /// - Throws: `FormatError` for a `Transformer2DModel` that is neither of the two.
  static func currentName(_ name: String, of file: ConfigurationFile) throws -> String {
    guard name == className else { return name }
    let kind = file.members["norm_type"]?.string ?? "layer_norm"
    guard let successor = successors[kind] else {
      let known = successors.sorted { $0.key < $1.key }.map { "'\($0.key)' (\($0.value))" }.joined(separator: ", ")
      throw FormatError(file.path, "'\(className)' with 'norm_type' '\(kind.prefix(60))' is not supported; supported: \(known)")
    }
    return successor
  }

  /// Settings of the former class that both of its successors have lost, and those that concern neither inference nor networks on patches.
  static func checkSettings(_ reader: SettingsReader) throws {
    try reader.fixed("attention_type", .string("default"))
    try reader.fixed("double_self_attention", .bool(false))
    try reader.fixed("only_cross_attention", .bool(false))
    try reader.fixed("num_vector_embeds", .null)
    reader.ignore("dropout", "upcast_attention", "norm_num_groups", "use_linear_projection")
  }
}
