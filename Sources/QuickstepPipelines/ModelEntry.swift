internal import Foundation
public import QuickstepFormats
internal import QuickstepModels
public import QuickstepNN

/// What can be said of a model folder, or of a model in a single file, without loading its weights.
public struct ModelEntry: Sendable {
  /// One part of a model.
  public struct Part: Sendable {
    /// Its folder, such as `transformer`.
    public var name: String
    /// The class that `config.json` or `model_index.json` names.
    public var className: String?
    /// Whether this version can run it; nil for schedules and tokenizers, which are no networks and which the pipeline reads.
    public var isSupported: Bool?
    /// Number of scalar weights; nil for parts without weights.
    public var parameters: Int?
    /// What is wrong with it, if anything.
    public var problem: String?
  }

  /// What ``ModelLibrary/find(_:)`` takes: the folder's name, or `org/name` in the hub cache.
  public var id: String
  /// The model's folder.
  public var path: String
  /// `_class_name` of `model_index.json`; nil for folders that hold components only.
  public var pipeline: String?
  /// Folders with a `config.json` and those that the index names, sorted by name.
  public var parts: [Part]
  /// Size of all its files.
  public var bytes: Int
  /// Height and width of the samples the network was trained on, in its own units (pixels, or latents where there is a codec).
  public var sampleSize: [Int]?
  /// Keys of `model_index.json` that are no components: `styles`, `default_steps`, ….
  public var settings: [String: JSONValue]
  /// The first line of its card (`README.md`).
  public var summary: String?
  /// Why its index cannot be read, if so.
  public var problem: String?

  /// Number of scalar weights of all parts.
  public var parameters: Int { parts.reduce(0) { $0 + ($1.parameters ?? 0) } }

  /// Reads what a folder says. Never throws: what is damaged is told in `problem`.
  public init(id: String, path: String) {
    self.id = id
    self.path = path
    if ModelLibrary.isFile(path) {
      (bytes, parts, settings) = (FolderFacts.size(path), [], [:])
      readSingleFile()
      return
    }
    bytes = FolderFacts.bytes(path)
    summary = FolderFacts.cardTitle(path + "/README.md")
    settings = [:]
    var listed: [String: String] = [:]
    if ModelLibrary.isFile(path + "/model_index.json") {
      do {
        let index = try ModelIndex(folder: path)
        pipeline = index.pipeline
        settings = index.settings
        listed = index.components
      } catch {
        problem = "\(error)"
      }
    }
    let found = ModelLibrary.names(in: path).filter { ModelLibrary.isFile("\(path)/\($0)/config.json") }
    parts = Set(found).union(listed.keys).sorted().map { Part(name: $0, listedClass: listed[$0], folder: "\(path)/\($0)") }
    sampleSize = parts.lazy.compactMap { FolderFacts.sampleSize("\(path)/\($0.name)/config.json") }.first
  }
}

extension ModelEntry {
  /// What the tensors of an original single file tell.
  private mutating func readSingleFile() {
    do {
      let file = try SingleFile(path: path)
      pipeline = file.index.className
      summary = "\(file.family) in one file"
      for name in file.partNames {
        let part = try file.part(name)
        let names = part.weights.names
        let count = names.reduce(0) { $0 + (part.weights.info($1)?.shape.reduce(1, *) ?? 0) }
        let isSupported = (try? Architectures.of(part.configuration)) != nil
        parts.append(Part(name: name, className: part.configuration.className, isSupported: isSupported, parameters: count))
        if name == "unet", let side = part.configuration.members["sample_size"]?.integer { sampleSize = [side, side] }
      }
    } catch {
      // The path stands beside it already.
      problem = (error as? FormatError)?.reason ?? "\(error)"
    }
  }
}

extension ModelEntry.Part {
  init(name: String, listedClass: String?, folder: String) {
    self.name = name
    className = listedClass
    guard ModelLibrary.isFolder(folder) else {
      problem = "its folder is missing"
      return
    }
    guard ModelLibrary.isFile(folder + "/config.json") else { return }
    do {
      let configuration = try ConfigurationFile(path: folder + "/config.json")
      className = configuration.className ?? listedClass
      let architecture = Architectures.known(configuration, listedAs: listedClass)
      isSupported = architecture != nil
      guard let source = try ComponentFolder.weights(folder) else {
        if architecture != nil { problem = "it has no weights" }
        return
      }
      parameters = source.names.reduce(0) { $0 + (source.info($1)?.shape.reduce(1, *) ?? 0) }
    } catch {
      problem = "\(error)"
    }
  }
}

extension Architectures {
  /// That of a configuration or, where it names no class, of the one that the model's index has for it; `nil` for what is not supported.
  fileprivate static func known(_ configuration: ConfigurationFile, listedAs listed: String?) -> Architecture? {
    guard configuration.className != nil else { return all.first { $0.className == listed } }
    return try? of(configuration)
  }
}

/// `model_index.json`: which class runs the model, its components, and settings.
public struct ModelIndex: Sendable {
  /// `_class_name`; nil when the file has none.
  public var pipeline: String?
  /// Folder name → class name, of the components the model has.
  public var components: [String: String]
  /// Members that are neither components nor notes.
  public var settings: [String: JSONValue]

  /// - Throws: `FormatError` naming the file.
  public init(folder: String) throws {
    let path = folder + "/model_index.json"
    guard let members = try JSONValue(path: path).object else { throw FormatError(path, "is not a JSON object") }
    pipeline = members["_class_name"]?.string
    components = [:]
    settings = [:]
    for (name, value) in members where !name.hasPrefix("_") {
      switch Self.pair(name, value, folder) {
      case .component(let className): components[name] = className
      case .absent: break
      case .setting: settings[name] = value
      }
    }
  }

  private enum Member { case component(String), absent, setting }

  /// A component is a pair of library and class, `[null, null]` when the model does without it. A setting may be a list of two texts as
  /// well (two styles, say), so the library has to be one that is known or the folder has to be there.
  private static func pair(_ name: String, _ value: JSONValue, _ folder: String) -> Member {
    guard let pair = value.array, pair.count == 2 else { return .setting }
    if pair == [.null, .null] { return .absent }
    guard let library = pair[0].string, let className = pair[1].string else { return .setting }
    let isKnown = ["quickstep", "diffusers", "transformers"].contains(library)
    return isKnown || ModelLibrary.isFolder("\(folder)/\(name)") ? .component(className) : .setting
  }
}

/// A folder with `config.json` and weights.
public enum ComponentFolder {
  /// Opens the weights; nil when there are none.
  /// - Throws: `FormatError` when they are damaged.
  public static func weights(_ folder: String) throws -> (any TensorSource)? {
    let preferred = (try? ConfigurationFile(path: folder + "/config.json")).flatMap { try? Architectures.of($0) }?.weightsName
    let names = ModelLibrary.names(in: folder).filter { $0.hasSuffix(".safetensors") || TensorFiles.isIndex($0) }
    for stem in [preferred, "diffusion_pytorch_model", "model"].compactMap({ $0 }) {
      if let name = Architectures.weightFiles(stem).first(where: names.contains) {
        return try TensorFiles.open("\(folder)/\(name)")
      }
    }
    // Other spellings are variants of the same weights (`model.fp16.safetensors`): one of them speaks for all.
    let index = names.first(where: TensorFiles.isIndex)
    return try (index ?? names.first).map { try TensorFiles.open("\(folder)/\($0)") }
  }
}

/// Small readings of a model folder.
enum FolderFacts {
  static func sampleSize(_ path: String) -> [Int]? {
    guard let value = try? JSONValue(path: path)["sample_size"] else { return nil }
    if let side = value.integer { return [side, side] }
    let sides = (value.array ?? []).compactMap(\.integer)
    return sides.isEmpty ? nil : sides
  }

  /// Bytes of one file, links followed.
  static func size(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Links are followed: in a hub cache every file is one.
  static func bytes(_ folder: String) -> Int {
    guard let walk = FileManager.default.enumerator(atPath: folder) else { return 0 }
    var sum = 0
    for case let name as String in walk {
      var status = stat()
      if stat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG { sum += Int(status.st_size) }
    }
    return sum
  }

  /// The first line with words, after the block of settings that hub cards begin with.
  static func cardTitle(_ path: String) -> String? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }[...]
    if lines.first == "---", let end = lines.dropFirst().firstIndex(of: "---") { lines = lines[(end + 1)...] }
    let titles = lines.map { $0.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces) }
    return titles.first { !$0.isEmpty }
  }
}
