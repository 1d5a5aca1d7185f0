import Foundation

/// A folder that goes away with the object, and with the process where something was written after that: Swift lets an object go at its last use.
public final class TemporaryFolder: Sendable {
  /// Its absolute path.
  public let path: String

  /// Makes an empty folder below the system's place for temporary files.
  public init() throws {
    path = ofProcess.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file, with the folders it lies in.
  /// - Parameters:
  ///   - content: the bytes.
  ///   - name: path relative to this folder.
  /// - Returns: the absolute path.
  @discardableResult
  public func write(_ content: some Sequence<UInt8>, to name: String) throws -> String {
    let file = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(content).write(to: file)
    return file.path
  }

  /// Writes a text file in UTF-8.
  @discardableResult
  public func write(_ text: String, to name: String) throws -> String { try write(text.utf8, to: name) }
}

/// The folder of all temporary folders of this process.
private let ofProcess: URL = {
  atexit { try? FileManager.default.removeItem(at: place) }
  return place
}()

private let place = FileManager.default.temporaryDirectory.appendingPathComponent("quickstep-\(ProcessInfo.processInfo.processIdentifier)")
