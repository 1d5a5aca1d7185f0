internal import Foundation

/// Files that are not weights this package reads, told by their first bytes, with the way out.
public enum ForeignFile {
  /// Endings that Python's pickles are kept under.
  public static let pickleEndings = ["ckpt", "bin", "pt", "pth", "pkl"]

  /// What the file is and what to do about it; `nil` for those that are none of the known kinds, and for empty ones.
  public static func refusal(_ file: MappedFile) -> String? {
    withExtendedLifetime(file) {
      let bytes = file.bytes
      func starts(_ prefix: [UInt8]) -> Bool { bytes.count >= prefix.count && bytes.prefix(prefix.count).elementsEqual(prefix) }
      // A header of 640 bytes begins like a pickle of protocol 2.
      if bytes.isEmpty || isSafetensors(bytes) { return nil }
      let isZip = starts([0x50, 0x4B, 0x03, 0x04])
      // torch.save writes a zip archive with data.pkl in it; older versions wrote the pickle itself.
      let isTorchArchive = isZip && (hasPickleEnding(file.path) || contains(bytes, "data.pkl"))
      if isTorchArchive || (bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1])) { return pickleAdvice(file.path) }
      if isZip { return "is a zip archive; unpack it first" }
      if starts([0xFF, 0xD8, 0xFF]) { return "is a JPEG" }
      if starts([0x89] + Array("PNG".utf8)) { return "is a PNG picture" }
      if starts(Array("version https://git-lfs".utf8)) {
        return "is a placeholder of git-lfs and not the file itself; run 'git lfs pull' where it came from"
      }
      if starts(Array("<!DOCTYPE".utf8)) || starts(Array("<html".utf8)) { return "is a web page; the download went wrong" }
      return nil
    }
  }

  /// The header's length in 8 bytes, then `{`.
  public static func isSafetensors(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count > 9 && bytes[8] == UInt8(ascii: "{") && bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0
  }

  /// Whether a file begins as GGUF files do.
  public static func isGGUF(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.count >= 4 && bytes.prefix(4).elementsEqual("GGUF".utf8) }

  /// Whether the name ends as those of pickles do.
  public static func hasPickleEnding(_ path: String) -> Bool {
    path.split(separator: "/").last.map { name in pickleEndings.contains { name.lowercased().hasSuffix("." + $0) } } ?? false
  }

  /// What to say where a folder holds pickles and nothing else.
  /// - Parameter path: one of them.
  public static func pickleAdvice(_ path: String) -> String {
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
      For a model that is on the hub, its page 'Convert to safetensors' (huggingface.co/spaces/safetensors/convert) does the same.
      """
  }

  /// Whether a zip archive names `text` near its start or in its table of contents at the end.
  private static func contains(_ bytes: UnsafeRawBufferPointer, _ text: String) -> Bool {
    let wanted = Data(text.utf8)
    return Data(bytes.prefix(1 << 12)).range(of: wanted) != nil || Data(bytes.suffix(1 << 16)).range(of: wanted) != nil
  }
}
