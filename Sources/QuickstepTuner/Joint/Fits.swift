import Foundation
import QuickstepFormats

/// Parts of ways to sample that are fitted to the exact run before a search, so that it can try them.
public struct Fits: Sendable, Hashable, Codable {
  /// Solvers.
  public var solvers: FittedSolvers
  /// Schedules of caches; `nil` leaves them out.
  public var caches: FittedCaches?

  /// None where nothing is given.
  public init(solvers: FittedSolvers = FittedSolvers(), caches: FittedCaches? = nil) { (self.solvers, self.caches) = (solvers, caches) }

  /// Reads what ``write(to:)`` wrote; none where there is nothing.
  /// - Throws: `FormatError` for other contents.
  init(path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      self.init()
      return
    }
    do { self = try JSONDecoder().decode(Self.self, from: data) } catch {
      throw FormatError(path, "cannot be read; another version may have written it. --fresh begins anew (\(error))")
    }
  }

  func write(to path: String) throws { try AtomicFile.write(Array(try text().utf8), to: path, makeFolder: true) }

  /// The same text for the same fits, for identities of archives.
  func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
