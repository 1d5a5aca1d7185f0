import ArgumentParser
import Foundation

/// Paths that a command writes to at its end, looked at before it begins: what took minutes must not be lost to a path that cannot be
/// written. Folders that are missing are no obstacle; they are made when the file is written.
enum OutputPath {
  /// Bytes that file systems of Linux allow for a name.
  private static let longestName = 255

  /// - Parameter option: what the path was given by, for messages.
  /// - Throws: `ValidationError` when no file can be written at the path.
  static func check(_ path: String, for option: String) throws {
    let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    guard !name.isEmpty, name != ".", name != ".." else { throw ValidationError("\(option) '\(path)' names no file.") }
    let place = Place(path: path, option: option)
    guard try place.kind(of: path) != .folder else { throw ValidationError("\(option) '\(path)' is a folder; it must name a file.") }
    try place.checkFolder(place.parent(of: path))
  }

  /// The same for a folder that files are to be written into.
  static func checkFolder(_ path: String, for option: String) throws {
    guard !path.isEmpty else { throw ValidationError("\(option) '' names no folder.") }
    try Place(path: path, option: option).checkFolder(path)
  }

  private enum Kind { case folder, file, nothing }

  /// A path as the user gave it.
  private struct Place {
    let path: String
    let option: String

    /// The nearest folder that is there must take new files.
    func checkFolder(_ folder: String) throws {
      if let long = path.split(separator: "/").first(where: { $0.utf8.count > OutputPath.longestName }) {
        throw problem("the name '\(long.prefix(24))…' has \(long.utf8.count) bytes; allowed: up to \(OutputPath.longestName)")
      }
      var folder = folder
      while try kind(of: folder) == .nothing {
        let above = parent(of: folder)
        guard above != folder else { throw problem("'\(folder)' is not there") }
        folder = above
      }
      guard try kind(of: folder) == .folder else { throw problem("'\(folder)' is a file and no folder") }
      guard access(folder, W_OK | X_OK) == 0 else { throw problem("'\(folder)': \(Self.systemText())") }
    }

    func kind(of path: String) throws -> Kind {
      var status = stat()
      if stat(path, &status) == 0 { return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file }
      // Below a file there is nothing; the file itself is met on the way up.
      guard errno == ENOENT || errno == ENOTDIR else { throw problem(Self.systemText()) }
      return .nothing
    }

    func parent(of path: String) -> String {
      let parent = (path as NSString).deletingLastPathComponent
      return parent.isEmpty ? "." : parent
    }

    private func problem(_ text: String) -> ValidationError { ValidationError("\(option) '\(path)' cannot be written: \(text).") }

    private static func systemText() -> String { String(cString: strerror(errno)) }
  }
}
