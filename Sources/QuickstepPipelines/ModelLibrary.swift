internal import Foundation
internal import QuickstepFormats

/// Finds models on this machine: the built-in ones, the user's own folders, and snapshots that a hub client has downloaded.
/// Nothing here opens a network connection.
public enum ModelLibrary {
  /// The environment variable that names folders of models, separated by colons.
  public static let variable = "QUICKSTEP_MODELS"

  /// The folders of models that exist, in the order in which they are looked into.
  public static func folders() -> [String] {
    var seen: Set<String> = []
    return candidates().filter { isFolder($0) && seen.insert(realPath($0)).inserted }
  }

  /// Every place where models may lie, existing or not, for messages.
  public static func candidates() -> [String] {
    let named = (environment[variable] ?? "").split(separator: ":").map(String.init)
    return named + ["Models"] + besideExecutable(realPath("/proc/self/exe"))
  }

  /// Every model found. Of two with the same id the first one counts, as for ``find(_:)``.
  public static func all() -> [ModelEntry] {
    var seen: Set<String> = []
    let local = folders().flatMap { folder in
      names(in: folder).map { ($0, folder + "/" + $0) }.compactMap { name, path -> (String, String)? in
        isModel(path) ? (name, path) : SingleFile.isModel(path) ? (SingleFile.id(path), path) : nil
      }
    }
    return (local + HubCache.snapshots().filter { isModel($0.path) }.map { ($0.id, $0.path) })
      .filter { seen.insert($0.0).inserted }
      .map { ModelEntry(id: $0.0, path: $0.1) }
  }

  /// The folders of all models that have an index, for looking up what they share.
  static func modelFolders() -> [String] {
    (folders().flatMap { folder in names(in: folder).map { folder + "/" + $0 } } + HubCache.snapshots().map(\.path))
      .filter { isFile($0 + "/model_index.json") }
  }

  /// The folder of a model, or the file of one that is a single file.
  /// - Parameter idOrPath: the path of a folder with `model_index.json` or of an original single file, an id that ``all()`` lists, or
  ///   `org/name` of a snapshot in the hub cache.
  /// - Throws: `FormatError` that lists the ids found and the places looked at.
  public static func find(_ idOrPath: String) throws -> String {
    if isFile(idOrPath + "/model_index.json") { return idOrPath }
    if isFile(idOrPath) {
      // Opening says what else it is: a pickle, a LoRA, a network alone.
      _ = try SingleFile(path: idOrPath)
      return idOrPath
    }
    if isPlainID(idOrPath) {
      if let path = folders().map({ $0 + "/" + idOrPath }).first(where: isModel) { return path }
      let files = folders().flatMap { folder in ["", ".safetensors", ".gguf"].map { folder + "/" + idOrPath + $0 } }
      if let path = files.first(where: SingleFile.isModel) { return path }
      if let path = HubCache.snapshot(of: idOrPath), isModel(path) { return path }
    }
    if isFolder(idOrPath) { throw FormatError(idOrPath, "the folder has no model_index.json") }
    let ids = all().map(\.id)
    let known = ids.isEmpty ? "no models were found" : "there is \(ids.joined(separator: ", "))"
    let places = (candidates() + [HubCache.folder]).joined(separator: ", ")
    throw FormatError(
      "model '\(idOrPath)'", "there is no such folder or id; \(known); looked in \(places). \(variable) names further folders")
  }

  /// The model that is used when none is named: `emoji`, or else the first one found that makes pictures from prompts.
  /// - Throws: `FormatError` that says where models were looked for.
  public static func standard() throws -> String {
    if let path = folders().map({ $0 + "/emoji" }).first(where: { isFile($0 + "/model_index.json") }) { return path }
    let usable = all().first { $0.pipeline == "PromptToImagePipeline" && $0.problem == nil }
    return try usable?.path ?? find("emoji")
  }

  /// `…/.build/<triple>/release/quickstep` belongs to the repository around it, `…/bin/quickstep` to the data folder beside `bin`.
  static func besideExecutable(_ executable: String) -> [String] {
    let parts = executable.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    var places: [String] = []
    if let build = parts.lastIndex(of: ".build") { places.append((parts[..<build] + ["Models"]).joined(separator: "/")) }
    if parts.count >= 2, parts[parts.count - 2] == "bin" {
      places.append((parts.dropLast(2) + ["share", "quickstep", "Models"]).joined(separator: "/"))
    }
    return places
  }

  /// An id never leaves the folders that are looked into.
  private static func isPlainID(_ id: String) -> Bool {
    let parts = id.split(separator: "/", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count) && parts.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") && !$0.contains("\0") }
  }

  /// Besides whole models, folders of components without a pipeline (a classifier, say) count, so that they can be listed and run.
  static func isModel(_ path: String) -> Bool {
    isFile(path + "/model_index.json") || names(in: path).contains { isFile("\(path)/\($0)/config.json") }
  }

  /// Whether a path is an original single file that holds a whole model's network. Reads its header.
  public static func isSingleFile(_ path: String) -> Bool { SingleFile.isModel(path) }

  static var environment: [String: String] { ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty } }

  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  static func isFile(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
  }

  /// Visible names in a folder, sorted; none when it cannot be read.
  static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
  }

  static func realPath(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
