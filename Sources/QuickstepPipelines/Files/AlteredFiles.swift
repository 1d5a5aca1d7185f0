internal import Foundation
internal import QuickstepFormats
internal import QuickstepModels
internal import QuickstepNN

/// A model with parts from elsewhere, LoRAs, another tokenizer or another prediction. All of it is checked before any weight is read.
struct AlteredFiles: ModelFiles {
  private let base: any ModelFiles
  private let options: ModelOptions
  private let plan: LoRAPlan
  private let replaced: [String: ModelPart]
  /// With the parts that a single file lacked.
  let index: ConfigurationFile
  let partNames: [String]

  init(_ base: any ModelFiles, _ options: ModelOptions) throws {
    var replaced: [String: ModelPart] = [:]
    for (name, path) in options.replacements { replaced[name] = try Self.replacement(name, path, base) }
    let added = replaced.filter { !base.partNames.contains($0.key) }
    let members = added.mapValues { part in
      let library = part.name.hasPrefix("text_encoder") ? "transformers" : "diffusers"
      return JSONValue.array([.string(library), .string(part.configuration.className ?? "")])
    }
    let index = ConfigurationFile(path: base.index.path, members: base.index.members.merging(members) { $1 })
    let partNames = (base.partNames + added.keys).sorted()
    let adaptable = options.adapters.isEmpty ? [] : partNames.filter { Self.isAdaptable($0, index) }
    var parts: [String: any TensorSource] = [:]
    for name in adaptable { parts[name] = try (replaced[name] ?? base.part(name)).weights }
    self.base = base
    self.options = options
    self.replaced = replaced
    (self.index, self.partNames) = (index, partNames)
    plan = try LoRAPlan(
      options.adapters, parts: parts, mode: options.adapterMode, allowsPartial: options.allowsPartialAdapters)
  }

  /// Whether a LoRA may change a part: the denoising network and text encoders. Published folders have others beside them, such as copies of the
  /// parts for other libraries, which the index does not name.
  private static func isAdaptable(_ name: String, _ index: ConfigurationFile) -> Bool {
    ["unet", "transformer", "text_encoder"].contains { name.hasPrefix($0) } && index.members[name]?.array?.last?.string != nil
  }

  /// A component folder brings its configuration; a file takes the place of the model's own weights and keeps the model's configuration. What a
  /// single file of its family may lack is added.
  private static func replacement(_ name: String, _ path: String, _ base: any ModelFiles) throws -> ModelPart {
    let isLacking = !base.partNames.contains(name)
    guard !isLacking || (base as? SingleFile)?.familyParts.contains(name) == true else {
      throw FormatError(base.path, "has no part '\(name)' to replace; it has \(base.partNames.joined(separator: ", "))")
    }
    if ModelLibrary.isFile(path + "/config.json") {
      let folder = URL(fileURLWithPath: path).standardizedFileURL
      var part = try FolderFiles.part(folder: folder.path)
      part.name = name
      return part
    }
    guard !isLacking else {
      throw FormatError(
        path, "has no config.json, and '\(base.path)' holds no '\(name)' whose configuration could be kept; give a component folder")
    }
    let source = try TensorFiles.open(path)
    return ModelPart(
      name: name, configuration: try base.part(name).configuration, weights: try ComponentFile.tensors(name, in: source), paths: [path])
  }

  var path: String { base.path }
  var name: String { base.name }
  var notes: [String] { base.notes + plan.notes }

  func part(_ name: String) throws -> ModelPart {
    var part = try replaced[name] ?? base.part(name)
    part.weights = plan.adapted(name, part.weights)
    return part
  }

  func scheduler() throws -> ConfigurationFile {
    let own = try base.scheduler()
    guard let prediction = options.prediction else { return own }
    return ConfigurationFile(path: own.path, members: own.members.merging(["prediction_type": .string(prediction)]) { $1 })
  }

  func tokenizer(_ name: String) throws -> TokenizerLocation {
    guard let folder = options.tokenizer else {
      guard let single = base as? SingleFile, let encoder = replaced[SingleFile.encoder(of: name)] else { return try base.tokenizer(name) }
      return try single.tokenizer(name, for: encoder.configuration)
    }
    guard ModelLibrary.isFolder(folder) else { throw FormatError(folder, "the tokenizer's folder is missing") }
    let own = "\(folder)/\(name)"
    // A plain vocabulary serves all encoders; what fills up prompts depends on the encoder.
    if ModelLibrary.isFolder(own) { return TokenizerLocation(folder: own) }
    return TokenizerLocation(folder: folder, padding: (base as? SingleFile)?.padding(of: name))
  }
}
