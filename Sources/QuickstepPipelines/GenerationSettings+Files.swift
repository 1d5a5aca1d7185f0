internal import Foundation
internal import QuickstepFormats

extension GenerationSettings {
  /// Checksums of the files that parameters of methods name, by their paths as given. What a file holds may be changed afterwards, and the same settings
  /// give another picture then.
  func namedFiles() -> [String: String]? {
    let choices = (accelerations ?? []) + corrections + [start].compactMap { $0 }
    let values = choices.flatMap(\.parameters.values) + solverParameters.values + spacingParameters.values
    var found: [String: String] = [:]
    for path in Set(values) { found[path] = Self.checksum(path) }
    return found.isEmpty ? nil : found
  }

  /// Of a file; `nil` for what names none, as numbers and names of choices do.
  private static func checksum(_ path: String) -> String? {
    var isFolder: ObjCBool = false
    guard path.utf8.count < 4096, FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
      let file = try? MappedFile(path: path)
    else { return nil }
    return Fingerprint.text(Fingerprint.mixed(file.bytes))
  }

  /// What has changed since the picture was made, in sentences for the user: files that methods read, and models that did a part of the run.
  /// - Parameter companions: the models at hand for that, by the names methods have for them.
  public func changes(companions: [String: LoadedModel] = [:]) -> [String] {
    let changed = (files ?? [:]).sorted { $0.key < $1.key }.compactMap { path, before -> String? in
      guard let now = Self.checksum(path) else { return "the file '\(path)', which the picture was made with, is not there any more" }
      return now == before ? nil : "the file '\(path)' has changed since the picture was made (\(before) then, \(now) now)"
    }
    let others = (self.companions ?? [:]).sorted { $0.key < $1.key }.compactMap { name, before -> String? in
      guard let now = companions[name]?.fingerprint, now != before else { return nil }
      return "the weights of '\(name)' have changed since the picture was made (\(before) then, \(now) now)"
    }
    return changed + others
  }
}
