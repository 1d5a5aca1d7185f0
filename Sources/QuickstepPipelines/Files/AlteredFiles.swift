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

  init(_ base: any ModelFiles, _ options: ModelOptions) throws {
    var replaced: [String: ModelPart] = [:]
    for (name, path) in options.replacements { replaced[name] = try Self.replacement(name, path, base) }
    let names = options.adapters.isEmpty ? [] : base.partNames.filter { !["vae", "safety_checker", "image_encoder"].contains($0) }
    var parts: [String: any TensorSource] = [:]
    for name in names { parts[name] = try (replaced[name] ?? base.part(name)).weights }
    self.base = base
    self.options = options
    self.replaced = replaced
    plan = try LoRAPlan(
      options.adapters, parts: parts, mode: options.adapterMode, allowsPartial: options.allowsPartialAdapters)
  }

  /// A component folder brings its configuration; a file takes the place of the model's own weights and keeps the model's configuration.
  private static func replacement(_ name: String, _ path: String, _ base: any ModelFiles) throws -> ModelPart {
    guard base.partNames.contains(name) else {
      throw FormatError(base.path, "has no part '\(name)' to replace; it has \(base.partNames.joined(separator: ", "))")
    }
    if ModelLibrary.isFile(path + "/config.json") {
      let folder = URL(fileURLWithPath: path).standardizedFileURL
      var part = try FolderFiles.part(folder: folder.path)
      part.name = name
      return part
    }
    let source = try TensorFiles.open(path)
    return ModelPart(
      name: name, configuration: try base.part(name).configuration, weights: try ComponentFile.tensors(name, in: source), paths: [path])
  }

  var path: String { base.path }
  var name: String { base.name }
  var index: ConfigurationFile { base.index }
  var partNames: [String] { base.partNames }
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
    guard let folder = options.tokenizer else { return try base.tokenizer(name) }
    guard ModelLibrary.isFolder(folder) else { throw FormatError(folder, "the tokenizer's folder is missing") }
    let own = "\(folder)/\(name)"
    // A plain vocabulary serves all encoders; what fills up prompts depends on the encoder.
    if ModelLibrary.isFolder(own) { return TokenizerLocation(folder: own) }
    return TokenizerLocation(folder: folder, padding: (base as? SingleFile)?.padding(of: name))
  }
}
