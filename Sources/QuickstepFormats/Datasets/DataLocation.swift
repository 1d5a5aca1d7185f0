public import Foundation

/// Finds data sets that are too large to ship inside the package.
public enum DataLocation {
  /// The environment variable that names the folder of data sets.
  public static let variable = "QUICKSTEP_DATA"

  /// The folders that are looked into, in order: the one `QUICKSTEP_DATA` names, then `data` and `../shared/data` below the current folder.
  public static func candidates(environment: [String: String] = ProcessInfo.processInfo.environment) -> [String] {
    let named = environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    return (named.map { [$0] } ?? []) + ["data", "../shared/data"]
  }

  /// The path of a data set (`emoji64`) or a file of one (`mnist/t10k-images-idx3-ubyte.gz`).
  /// - Throws: `FormatError` that lists the places looked at and says what to set.
  public static func find(
    _ name: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> String {
    let paths = candidates(environment: environment).map { $0 + "/" + name }
    if let found = paths.first(where: { FileKind($0) != nil }) { return found }
    let folder = FileManager.default.currentDirectoryPath
    throw FormatError(
      "data set \(name)",
      "not found; looked at \(paths.joined(separator: ", ")) from \(folder). Set \(variable) to the folder that holds \(name)")
  }
}
