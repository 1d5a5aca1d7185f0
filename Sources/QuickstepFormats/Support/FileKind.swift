import Foundation

/// Whether a path is a file or a folder, links followed.
enum FileKind {
  case file
  case folder

  /// nil when there is nothing.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self = status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }

  /// The names in a folder, in ascending order.
  static func names(inFolder path: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw FormatError(path, "the folder cannot be read: \(error)")
    }
  }
}
