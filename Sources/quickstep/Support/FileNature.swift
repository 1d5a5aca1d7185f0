import Foundation
import QuickstepFormats

/// What a path is, told from its first bytes and not from its name: names of downloaded files promise all sorts of things.
enum FileNature {
  case tensorFile
  case index
  case png
  case modelFolder
  case componentFolder
  case tensorFolder

  /// - Throws: `FormatError` that says what the path is instead, and the way out.
  init(_ path: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FormatError(path, "there is no such file or folder")
    }
    self = isFolder.boolValue ? Self.folder(path) : try Self.file(path)
  }

  private static func folder(_ path: String) -> FileNature {
    let manager = FileManager.default
    func has(_ name: String) -> Bool { manager.fileExists(atPath: "\(path)/\(name)") }
    if has("model_index.json") { return .modelFolder }
    if has("config.json") { return .componentFolder }
    let names = (try? manager.contentsOfDirectory(atPath: path)) ?? []
    return names.contains { has("\($0)/config.json") } ? .modelFolder : .tensorFolder
  }

  private static func file(_ path: String) throws -> FileNature {
    if path.hasSuffix(".index.json") || TensorFiles.isIndex(path) { return .index }
    let file = try MappedFile(path: path)
    return try withExtendedLifetime(file) {
      if ForeignFile.isSafetensors(file.bytes) || ForeignFile.isGGUF(file.bytes) { return .tensorFile }
      if PNG.hasSignature(file.bytes) { return .png }
      if file.bytes.isEmpty { throw FormatError(path, "is empty") }
      if let refusal = ForeignFile.refusal(file) { throw FormatError(path, refusal) }
      // What it is called decides what is wrong with it.
      if path.hasSuffix(".safetensors") || path.hasSuffix(".gguf") { return .tensorFile }
      throw FormatError(
        path,
        "is none of the kinds that can be inspected: safetensors, GGUF, an index of shards (*.index.json), a model or component folder, PNG"
      )
    }
  }
}
