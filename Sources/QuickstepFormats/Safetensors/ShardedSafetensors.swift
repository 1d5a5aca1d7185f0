public import QuickstepNN
public import QuickstepTensor

/// Tensors spread over several safetensors files by an index (`*.safetensors.index.json`).
///
/// All shards are opened and checked at once. The index and the shards must agree: every name of the index is in the shard it gives,
/// and a shard holds no tensor that the index does not know or assigns to another shard.
public final class ShardedSafetensors: TensorSource {
  /// All tensors' names, in ascending order of their UTF-8 bytes.
  public let names: [String]
  /// The index's own notes, then those of the shards; of equal keys the index's counts, then the first shard's.
  public let metadata: [String: String]
  /// Path of the index.
  public let origin: String
  private let shards: [String: SafetensorsFile]
  private let shardOfTensor: [String: String]

  /// Opens an index and its shards, which lie in the same folder (links inside it, as hub caches use them, are followed).
  /// - Throws: `FormatError` for missing shards, names that leave the folder, and disagreement between index and shards.
  public init(path: String) throws {
    let index = try JSONValue(path: path)
    guard let map = index["weight_map"]?.object else { throw FormatError(path, "there is no object weight_map") }
    var shardOfTensor: [String: String] = [:]
    for (tensor, value) in map {
      guard let file = value.string else { throw FormatError(path, "weight_map: the file of \"\(tensor)\" is not a string") }
      guard Self.staysInFolder(file) else {
        throw FormatError(path, "weight_map: \(JSONValue.quoted(file)) is not a file beside the index")
      }
      shardOfTensor[tensor] = file
    }
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    var shards: [String: SafetensorsFile] = [:]
    for file in Set(shardOfTensor.values) {
      guard FileKind(folder + file) == .file else { throw FormatError(path, "the shard \(file) is missing") }
      shards[file] = try SafetensorsFile(path: folder + file)
    }
    try Self.check(shardOfTensor, shards, path)
    origin = path
    self.shards = shards
    self.shardOfTensor = shardOfTensor
    names = shardOfTensor.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    metadata = Self.metadata(index, shards)
  }

  /// Type and shape from the shard's header; `nil` when there is no such tensor.
  public func info(_ name: String) -> TensorInfo? { shardOfTensor[name].flatMap { shards[$0]?.info(name) } }

  /// The tensor from its shard; see ``SafetensorsFile/tensor(_:)``.
  /// - Throws: `FormatError` when there is no such tensor.
  public func tensor(_ name: String) throws -> Tensor {
    guard let file = shardOfTensor[name], let shard = shards[file] else {
      throw FormatError(origin, "there is no tensor named \"\(name)\"")
    }
    return try shard.tensor(name)
  }

  /// Gives the pages of a tensor back; see ``SafetensorsFile/release(_:)``.
  public func release(_ name: String) { shardOfTensor[name].flatMap { shards[$0] }?.release(name) }

  private static func check(_ shardOfTensor: [String: String], _ shards: [String: SafetensorsFile], _ path: String) throws {
    for (tensor, file) in shardOfTensor.sorted(by: { $0.key < $1.key }) where shards[file]?.info(tensor) == nil {
      throw FormatError(path, "the tensor \"\(tensor)\" is not in its shard \(file)")
    }
    for (file, shard) in shards.sorted(by: { $0.key < $1.key }) {
      for name in shard.names where shardOfTensor[name] != file {
        let other = shardOfTensor[name].map { "assigns it to \($0)" } ?? "does not have it"
        throw FormatError(path, "the shard \(file) holds the tensor \"\(name)\", but the index \(other)")
      }
    }
  }

  /// The index's own notes win over those of the shards, earlier shards over later ones.
  private static func metadata(_ index: JSONValue, _ shards: [String: SafetensorsFile]) -> [String: String] {
    var result: [String: String] = [:]
    for (_, shard) in shards.sorted(by: { $0.key < $1.key }) { result.merge(shard.metadata) { first, _ in first } }
    let own = (index["metadata"]?.object ?? [:]).mapValues { $0.string ?? $0.text }
    return result.merging(own) { _, own in own }
  }

  private static func staysInFolder(_ file: String) -> Bool {
    let parts = file.split(separator: "/", omittingEmptySubsequences: false)
    return !file.isEmpty && !file.contains("\0") && !file.contains("\\") && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
  }
}
