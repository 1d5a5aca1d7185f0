public import QuickstepNN
public import QuickstepTensor

/// Tensors of a source under other names and, where layouts differ, as views of them. Nothing is copied but what has to be transposed or put in
/// another order.
public struct MappedTensors: TensorSource, StoredTypes {
  /// All names, in ascending order of their UTF-8 bytes.
  public let names: [String]
  /// Of the source.
  public let metadata: [String: String]
  /// Of the source, with the part of it that is seen.
  public let origin: String
  private let source: any TensorSource
  private let views: [String: TensorView]
  private let infos: [String: TensorInfo]

  /// - Parameters:
  ///   - views: by the name under which a tensor is to be seen.
  ///   - origin: what messages call this; the source's own when `nil`.
  /// - Throws: `FormatError` naming the stored tensor that is missing, or whose shape a step does not fit.
  public init(_ source: any TensorSource, views: [String: TensorView], origin: String? = nil) throws {
    var infos: [String: TensorInfo] = [:]
    for (name, view) in views {
      guard let stored = source.info(view.name) else { throw FormatError(source.origin, "there is no tensor named \"\(view.name)\"") }
      guard let shape = view.shape(from: stored.shape) else {
        throw FormatError(source.origin, "tensor \"\(view.name)\" is \(stored.shape), which cannot be seen as \"\(name)\"")
      }
      infos[name] = TensorInfo(name: name, dtype: stored.dtype, shape: shape)
    }
    self.source = source
    self.views = views
    self.infos = infos
    self.origin = origin ?? source.origin
    metadata = source.metadata
    names = views.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The name that messages about the file itself should use.
  public func storedName(_ name: String) -> String? { views[name]?.name }

  /// Type as stored, shape as seen.
  public func info(_ name: String) -> TensorInfo? { infos[name] }

  /// Gives back what the view was read from; other parts of the same tensor are read again.
  public func release(_ name: String) { if let view = views[name] { source.release(view.name) } }

  public func storedType(_ name: String) -> String? {
    views[name].flatMap { (source as? any StoredTypes)?.storedType($0.name) }
  }

  public func storedBytes(_ name: String) -> Int? {
    guard let view = views[name], let bytes = (source as? any StoredTypes)?.storedBytes(view.name), let stored = source.info(view.name),
      let seen = infos[name]
    else { return nil }
    // Bytes of part of a tensor are as many as its share of the numbers.
    let count = stored.shape.reduce(1, *)
    return count == 0 ? 0 : Int(Double(bytes) * Double(seen.shape.reduce(1, *)) / Double(count))
  }

  /// The view: it shares memory with the stored tensor unless it is transposed.
  /// - Throws: `FormatError` when there is no such tensor; what the source throws.
  public func tensor(_ name: String) throws -> Tensor {
    guard let view = views[name] else { throw FormatError(origin, "there is no tensor named \"\(name)\"") }
    let stored = try source.tensor(view.name)
    return try withTensorErrors {
      view.steps.reduce(stored) { tensor, step in
        switch step {
        case .part(let part, let count):
          let size = tensor.size(0) / max(1, count)
          return tensor.narrow(0, start: part * size, length: size)
        case .rows(let rows): return tensor.narrow(0, start: rows.lowerBound, length: rows.count)
        case .halvesSwapped:
          let half = tensor.size(0) / 2
          return .cat([tensor.narrow(0, start: half, length: half), tensor.narrow(0, start: 0, length: half)], dim: 0)
        // Kernels want rows without gaps, and the matrices that are stored the other way round are small.
        case .transposed: return tensor.transposed.contiguous()
        case .matrix: return tensor.reshape([tensor.size(0), tensor.size(1)])
        }
      }
    }
  }
}
