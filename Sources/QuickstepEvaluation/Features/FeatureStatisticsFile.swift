internal import Foundation
internal import QuickstepFormats
internal import QuickstepNN
internal import QuickstepTensor

/// Means and covariances of features in a safetensors file: `mean.NAME` `[F]` and `covariance.NAME` `[F, F]`, float32, for each set of pictures.
public enum FeatureStatisticsFile {
  /// What the file is called in a network's folder.
  public static let name = "statistics.safetensors"
  /// The set of all pictures.
  public static let all = "all"

  /// What a network's folder holds; empty where it has no such file.
  /// - Parameter featureCount: F, which the file has to have.
  /// - Throws: `FormatError` naming the key that is missing or has another shape; ``EvaluationError`` for matrices that are no covariances.
  public static func read(folder: String, featureCount: Int) throws -> [String: GaussianStatistics] {
    let path = "\(folder)/\(name)"
    guard FileManager.default.fileExists(atPath: path) else { return [:] }
    let file = try SafetensorsFile(path: path)
    var found: [String: GaussianStatistics] = [:]
    for key in file.names where key.hasPrefix("mean.") {
      let set = String(key.dropFirst("mean.".count))
      let other = "covariance.\(set)"
      guard file.info(other)?.shape == [featureCount, featureCount], file.info(key)?.shape == [featureCount] else {
        throw FormatError(path, "'\(key)' and '\(other)' have to be [\(featureCount)] and [\(featureCount), \(featureCount)]")
      }
      found[set] = try GaussianStatistics(mean: file.tensor(key), covariance: file.tensor(other))
    }
    return found
  }

  /// Writes the file, whole or not at all.
  /// - Parameter sets: by name.
  /// - Throws: `FormatError` when it cannot be written.
  public static func write(_ sets: [String: GaussianStatistics], folder: String) throws {
    let tensors = try sets.sorted { $0.key < $1.key }.flatMap { set, statistics in
      try withTensorErrors { [("mean.\(set)", statistics.mean.to(.float32)), ("covariance.\(set)", statistics.covariance.to(.float32))] }
    }
    try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: "\(folder)/\(name)")
  }
}
