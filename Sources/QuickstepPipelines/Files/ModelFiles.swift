internal import Foundation
internal import QuickstepFormats
public import QuickstepModels
public import QuickstepNN
internal import QuickstepTokenizers

/// One network of a model as it is stored: nothing of its weights is read yet.
public struct ModelPart: Sendable {
  /// The name of its folder, such as `unet`.
  public var name: String
  /// Its `config.json`, or what stands for it.
  public var configuration: ConfigurationFile
  /// Its tensors under our names.
  public var weights: any TensorSource
  /// Files the tensors come from, for checksums.
  public var paths: [String]
}

/// Where the parts of a model are: a folder as diffusers saves it, or a single file.
public protocol ModelFiles: Sendable {
  /// As given by the user.
  var path: String { get }
  /// For people.
  var name: String { get }
  /// `model_index.json`, or what stands for it.
  var index: ConfigurationFile { get }
  /// Names of the networks, sorted.
  var partNames: [String] { get }
  /// What had to be assumed, in sentences for the user.
  var notes: [String] { get }
  /// - Throws: `FormatError` when there is no such part or its files are damaged.
  func part(_ name: String) throws -> ModelPart
  /// What `scheduler_config.json` says.
  func scheduler() throws -> ConfigurationFile
  /// Where a tokenizer's files are.
  /// - Parameter name: `tokenizer`, `tokenizer_2`, ….
  /// - Throws: `FormatError` that says where it was looked for.
  func tokenizer(_ name: String) throws -> TokenizerLocation
}

/// A folder with a CLIP vocabulary.
public struct TokenizerLocation: Sendable, Hashable {
  /// The folder.
  public var folder: String
  /// The token that fills up prompts, where it is another one than the folder says.
  public var padding: String?

  /// - Parameters:
  ///   - folder: with `vocab.json` and `merges.txt`, or `tokenizer.json`.
  ///   - padding: the token that fills up prompts; `nil` leaves it to the folder.
  public init(folder: String, padding: String? = nil) {
    self.folder = folder
    self.padding = padding
  }
}

/// What is changed of a model when it is loaded, beside the type and place of its weights.
public struct ModelOptions: Sendable, Hashable, Codable {
  /// Files or component folders to take in place of the model's own parts, by part.
  public var replacements: [String: String] = [:]
  /// LoRAs in the order in which they are added.
  public var adapters: [LoRAChoice] = []
  /// How they enter.
  public var adapterMode = LoRAMode.fused
  /// Leave out what does not fit of a LoRA, with a warning.
  public var allowsPartialAdapters = false
  /// A folder with the tokenizer's files, or with folders `tokenizer` and `tokenizer_2`.
  public var tokenizer: String?
  /// `epsilon` or `v_prediction`, for files that do not say.
  public var prediction: String?

  /// Nothing is changed.
  public init() {}

  /// Whether nothing is changed.
  public var isEmpty: Bool { self == ModelOptions() }
}

/// Opens models by path.
public enum ModelSources {
  /// - Parameter path: a folder with `model_index.json`, or an original single file (safetensors or GGUF).
  /// - Throws: `FormatError` that says what does not fit, LoRAs and replaced parts included.
  public static func open(_ path: String, options: ModelOptions = ModelOptions()) throws -> any ModelFiles {
    let files: any ModelFiles =
      ModelLibrary.isFile(path) ? try SingleFile(path: path, options: options) : try FolderFiles(folder: path)
    return options.isEmpty ? files : try AlteredFiles(files, options)
  }

  /// A folder with `config.json` and weights.
  public static func component(folder: String) throws -> ModelPart { try FolderFiles.part(folder: folder) }
}

/// A folder as diffusers saves it.
struct FolderFiles: ModelFiles {
  let path: String
  let index: ConfigurationFile
  var notes: [String] { [] }

  init(folder: String) throws {
    path = folder
    index = try ConfigurationFile(path: folder + "/model_index.json")
  }

  var name: String { URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent }

  var partNames: [String] { ModelLibrary.names(in: path).filter { ModelLibrary.isFile("\(path)/\($0)/config.json") } }

  func part(_ name: String) throws -> ModelPart { try Self.part(folder: "\(path)/\(name)") }

  /// The component in a folder of its own.
  static func part(folder: String) throws -> ModelPart {
    let name = URL(fileURLWithPath: folder).lastPathComponent
    let weights = try Architectures.weights(folder: folder)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted().filter { $0.hasSuffix(".safetensors") }
    return ModelPart(
      name: name, configuration: try ConfigurationFile(path: folder + "/config.json"), weights: weights,
      paths: names.map { "\(folder)/\($0)" })
  }

  func scheduler() throws -> ConfigurationFile { try ConfigurationFile(path: path + "/scheduler/scheduler_config.json") }

  func tokenizer(_ name: String) throws -> TokenizerLocation { TokenizerLocation(folder: "\(path)/\(name)") }
}
