import Foundation

/// A file that appears complete or not at all: bytes go to a temporary file beside it, which is synced and renamed at the end.
///
/// An `AtomicFile` that goes away without `commit` leaves nothing behind.
public final class AtomicFile {
  private let path: String
  private let temporaryPath: String
  private let descriptor: Int32
  private var pending: [UInt8] = []
  private var renamed = false

  /// Starts a file that will replace `path`.
  /// - Parameter makeFolder: also make the folder it lies in, with its parents.
  /// - Throws: `FormatError` with the path and the operating system's reason.
  public init(replacing path: String, makeFolder: Bool = false) throws {
    let folder = Self.folder(of: path)
    if makeFolder {
      do {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      } catch {
        throw FormatError(folder, "the folder cannot be made: \(error)")
      }
    }
    self.path = path
    // Hidden, so that readers that list a folder do not take it for a finished file.
    let name = path.split(separator: "/").last.map(String.init) ?? "file"
    temporaryPath = folder + "/.\(name.beginning(ofBytes: 100)).\(getpid()).\(UInt64.random(in: .min ... .max)).part"
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FormatError(path, "cannot be written: \(systemErrorText())") }
  }

  deinit {
    close(descriptor)
    if !renamed { unlink(temporaryPath) }
  }

  /// Adds bytes at the end.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    if bytes.count < 1 << 16 {
      pending.append(contentsOf: bytes)
      if pending.count >= 1 << 20 { try flush() }
    } else {
      try flush()
      try writeNow(bytes)
    }
  }

  /// Adds bytes at the end.
  public func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  /// Syncs the bytes to the device and gives the file its name.
  public func commit() throws {
    try flush()
    guard fsync(descriptor) == 0 else { throw FormatError(path, "cannot be synced: \(systemErrorText())") }
    guard rename(temporaryPath, path) == 0 else { throw FormatError(path, "cannot be renamed into place: \(systemErrorText())") }
    renamed = true
    // The new name itself is safe only when the folder is synced; some file systems refuse that, which is no error of ours.
    let folder = open(Self.folder(of: path), O_RDONLY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// Writes a whole file at once.
  public static func write(_ bytes: [UInt8], to path: String, makeFolder: Bool = false) throws {
    let file = try AtomicFile(replacing: path, makeFolder: makeFolder)
    try file.write(bytes)
    try file.commit()
  }

  private func flush() throws {
    guard !pending.isEmpty else { return }
    try pending.withUnsafeBytes { try writeNow($0) }
    pending.removeAll(keepingCapacity: true)
  }

  private func writeNow(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while let start = rest.baseAddress, !rest.isEmpty {
      let done = Foundation.write(descriptor, start, min(rest.count, 1 << 30))
      if done < 0 {
        if errno == EINTR { continue }
        throw FormatError(path, "cannot be written: \(systemErrorText())")
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[done...])
    }
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
