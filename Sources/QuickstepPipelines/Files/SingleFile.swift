internal import Foundation
internal import QuickstepFormats
internal import QuickstepModels
internal import QuickstepTokenizers

/// An original single file as a model. It has no vocabulary: that of CLIP is taken from beside the file, or from another model on this machine.
struct SingleFile: ModelFiles {
  let path: String
  private let checkpoint: OriginalCheckpoint

  init(path: String, options: ModelOptions = ModelOptions()) throws {
    self.path = path
    checkpoint = try OriginalCheckpoint(try TensorFiles.open(path), prediction: options.prediction)
  }

  /// Whether a path is a file that can be opened as a model. Reads its header.
  static func isModel(_ path: String) -> Bool {
    guard path.hasSuffix(".safetensors") || path.hasSuffix(".gguf"), ModelLibrary.isFile(path), let source = try? TensorFiles.open(path)
    else {
      return false
    }
    return OriginalFamily(source) != nil
  }

  /// The file's name without its ending: its id in lists.
  static func id(_ path: String) -> String { URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent }

  var name: String { Self.id(path) }
  var index: ConfigurationFile { checkpoint.index }
  var notes: [String] { checkpoint.notes }
  var partNames: [String] { checkpoint.parts.map(\.name).sorted() }
  /// Names of the networks that its family has, those that it lacks included.
  var familyParts: [String] { checkpoint.family.partNames }
  /// For people.
  var family: String { checkpoint.family.rawValue }

  func part(_ name: String) throws -> ModelPart {
    let part = try checkpoint.part(name)
    return ModelPart(name: name, configuration: part.configuration, weights: part.weights, paths: [path])
  }

  func scheduler() -> ConfigurationFile { checkpoint.scheduler }

  func tokenizer(_ name: String) throws -> TokenizerLocation {
    try tokenizer(name, for: checkpoint.part(Self.encoder(of: name)).configuration)
  }

  /// - Parameter encoder: the configuration of the text encoder, which may be from elsewhere.
  func tokenizer(_ name: String, for encoder: ConfigurationFile) throws -> TokenizerLocation {
    let padding = padding(of: name)
    let size = encoder.members["vocab_size"]?.integer
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    // Beside the file: what belongs to this file alone, then what belongs to all in the folder.
    let beside = ["\(folder)/\(self.name).\(name)", "\(folder)/\(name)", "\(folder)/tokenizer", folder]
    if let found = beside.first(where: { TokenizerSearch.isVocabulary($0, size: size) }) {
      return TokenizerLocation(folder: found, padding: padding)
    }
    if let found = TokenizerSearch.ofOtherModels(name, size: size) { return TokenizerLocation(folder: found, padding: padding) }
    throw FormatError(
      path,
      "single files hold no tokenizer. Give a folder with CLIP's vocab.json and merges.txt (or tokenizer.json) by --tokenizer FOLDER, or put it beside "
        + "the file as '\(folder)/tokenizer'; the folder 'tokenizer' of any Stable Diffusion model has them. Looked in \(beside.joined(separator: ", ")), "
        + "the models that are listed by 'quickstep models', and \(TokenizerSearch.clipModels.joined(separator: ", ")) in the hub cache")
  }

  /// The text encoder that a tokenizer is for.
  static func encoder(of tokenizer: String) -> String { tokenizer.replacing("tokenizer", with: "text_encoder") }

  /// The token that fills up prompts for an encoder: open_clip's towers were trained with `!`, whose number is 0. The family says so,
  /// wherever the encoder is from.
  func padding(of tokenizer: String) -> String { checkpoint.family.padding(of: Self.encoder(of: tokenizer)) ?? "<|endoftext|>" }
}

/// CLIP vocabularies on this machine.
enum TokenizerSearch {
  /// Models of CLIP itself, whose snapshots hold a tokenizer at their root.
  static let clipModels = [
    "openai/clip-vit-large-patch14", "openai/clip-vit-base-patch32", "openai/clip-vit-base-patch16",
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
  ]

  /// Whether a folder has a CLIP vocabulary of that many tokens.
  static func isVocabulary(_ folder: String, size: Int?) -> Bool {
    let names = ModelLibrary.names(in: folder)
    guard names.contains("tokenizer.json") || (names.contains("vocab.json") && names.contains("merges.txt")) else { return false }
    guard let tokenizer = try? CLIPTokenizer(folder: folder) else { return false }
    return size == nil || tokenizer.vocabularySize == size
  }

  /// A folder of another model: every published CLIP has the same vocabulary.
  static func ofOtherModels(_ name: String, size: Int?) -> String? {
    let clips = clipModels.compactMap(HubCache.snapshot)
    let folders = ModelLibrary.modelFolders().flatMap { ["\($0)/\(name)", "\($0)/tokenizer"] }
    return (clips + folders).first { isVocabulary($0, size: size) }
  }
}
