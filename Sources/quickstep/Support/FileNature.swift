import Foundation
import QuickstepFormats

/// What a path is, told from its first bytes and not from its name: names of downloaded files promise all sorts of things.
enum FileNature {
  case safetensors
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
    if path.hasSuffix(".index.json") { return .index }
    let file = try MappedFile(path: path)
    return try withExtendedLifetime(file) {
      let bytes = file.bytes
      // The safetensors test comes first: a header of 640 bytes begins like a pickle of protocol 2.
      if isSafetensors(bytes) || path.hasSuffix(".safetensors") { return .safetensors }
      if PNG.hasSignature(bytes) { return .png }
      throw FormatError(path, refusal(bytes, path))
    }
  }

  /// The header's length in 8 bytes, then `{`.
  private static func isSafetensors(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count > 9 && bytes[8] == UInt8(ascii: "{") && bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0
  }

  private static func refusal(_ bytes: UnsafeRawBufferPointer, _ path: String) -> String {
    func starts(_ prefix: [UInt8]) -> Bool { bytes.count >= prefix.count && bytes.prefix(prefix.count).elementsEqual(prefix) }
    if bytes.isEmpty { return "is empty" }
    let isZip = starts([0x50, 0x4B, 0x03, 0x04])
    let ending = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
    // torch.save writes a zip archive with data.pkl in it; older versions wrote the pickle itself.
    let isTorchArchive = isZip && (["ckpt", "bin", "pt", "pth"].contains(ending) || contains(bytes, "data.pkl"))
    if isTorchArchive || isPickle(bytes) { return pickleAdvice(path) }
    if starts(Array("GGUF".utf8)) { return "is a GGUF file, which is not supported yet" }
    if isZip { return "is a zip archive; unpack it first" }
    if starts([0xFF, 0xD8, 0xFF]) { return "is a JPEG; of pictures only PNG can be inspected" }
    if starts(Array("version https://git-lfs".utf8)) {
      return "is a placeholder of git-lfs and not the file itself; run 'git lfs pull' where it came from"
    }
    return "is none of the kinds that can be inspected: safetensors, an index of shards (*.index.json), a model or component folder, PNG"
  }

  private static func isPickle(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1])
  }

  /// Whether a zip archive names `text` near its start or in its table of contents at the end.
  private static func contains(_ bytes: UnsafeRawBufferPointer, _ text: String) -> Bool {
    let wanted = Data(text.utf8)
    return Data(bytes.prefix(1 << 12)).range(of: wanted) != nil || Data(bytes.suffix(1 << 16)).range(of: wanted) != nil
  }

  private static func pickleAdvice(_ path: String) -> String {
    let stem = path.lastIndex(of: ".").map { String(path[..<$0]) } ?? path
    // The command is meant to be copied into a shell.
    func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
    return """
      is a Python pickle: reading one can run any program its author put inside, so quickstep never opens it. \
      Convert it once, in a Python that has torch and safetensors:
        python3 - \(quoted(path)) \(quoted(stem + ".safetensors")) <<'END'
        import sys, torch, safetensors.torch
        weights = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
        weights = weights.get("state_dict", weights)
        tensors = {k: v.clone().contiguous() for k, v in weights.items() if torch.is_tensor(v)}
        safetensors.torch.save_file(tensors, sys.argv[2])
        END
      """
  }
}
