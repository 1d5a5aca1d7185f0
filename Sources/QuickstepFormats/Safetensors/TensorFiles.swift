public import QuickstepNN
internal import QuickstepTensor

extension TensorInfo {
  /// Size of the values in bytes.
  public var byteCount: Int { shape.reduce(dtype.byteCount, *) }
}

extension TensorSource {
  /// Size of all values in bytes.
  public var byteCount: Int { names.reduce(0) { $0 + (info($1)?.byteCount ?? 0) } }
}

/// Opens weight files by path.
public enum TensorFiles {
  /// Opens a `.safetensors` or GGUF file (told by its first bytes), an index of shards (`*.safetensors.index.json`,
  /// `*.safetensors.index.fp16.json`), or a folder that holds one index or one such file.
  /// - Throws: `FormatError` when the path is none of these, or a folder does not say which file is meant. Pickles are refused with the
  ///   reason and the way out, whatever they are called.
  public static func open(_ path: String) throws -> any TensorSource {
    guard let kind = FileKind(path) else { throw FormatError(path, "there is no such file or folder") }
    if kind == .folder { return try openFolder(path) }
    if path.hasSuffix(".json") { return try ShardedSafetensors(path: path) }
    let file = try MappedFile(path: path)
    if ForeignFile.isGGUF(file.bytes) { return try GGUFFile(file: file) }
    if let refusal = ForeignFile.refusal(file) { throw FormatError(path, refusal) }
    return try SafetensorsFile(file: file)
  }

  /// Whether a name is that of an index of shards, a variant's (`model.safetensors.index.fp16.json`) included.
  package static func isIndex(_ name: String) -> Bool { name.contains(".safetensors.index.") && name.hasSuffix(".json") }

  private static func openFolder(_ path: String) throws -> any TensorSource {
    let names = try FileKind.names(inFolder: path).filter { !$0.hasPrefix(".") }
    let plain = names.filter { $0.hasSuffix(".safetensors.index.json") }
    // Those of variants count where there is no plain one.
    let indices = plain.isEmpty ? names.filter(isIndex) : plain
    let files = names.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".gguf") }
    // An index speaks for the shards beside it.
    if indices.count == 1 { return try ShardedSafetensors(path: path + "/" + indices[0]) }
    if indices.isEmpty, files.count == 1 { return try open(path + "/" + files[0]) }
    let found = (indices + files).joined(separator: ", ")
    guard found.isEmpty else { throw FormatError(path, "the folder has several candidates, name one of them: \(found)") }
    if let pickle = names.first(where: ForeignFile.hasPickleEnding) {
      throw FormatError("\(path)/\(pickle)", ForeignFile.pickleAdvice("\(path)/\(pickle)"))
    }
    throw FormatError(path, "the folder has no .safetensors and no .gguf file")
  }
}
