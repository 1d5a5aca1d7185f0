public import QuickstepTensor

/// What is known of a stored tensor without reading it.
public struct TensorInfo: Sendable, Hashable {
  /// Full name within the source.
  public var name: String
  /// Element type as stored.
  public var dtype: DType
  /// Sizes as stored; empty for a scalar.
  public var shape: [Int]
  /// - Parameters:
  ///   - name: full name within the source.
  ///   - dtype: element type as stored.
  ///   - shape: sizes as stored.
  public init(name: String, dtype: DType, shape: [Int]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }
}

/// Named tensors that can be read: a file, a sharded checkpoint, a dictionary in memory.
public protocol TensorSource: Sendable {
  /// All names, sorted.
  var names: [String] { get }
  /// Type and shape of a tensor without reading it; `nil` when there is no such tensor.
  func info(_ name: String) -> TensorInfo?
  /// - Throws: when there is no such tensor or it cannot be read; the message names the source and the tensor.
  func tensor(_ name: String) throws -> Tensor
  /// Says that a tensor will hardly be read again: a source that maps a file may give its pages back. Tensors read from it stay valid.
  func release(_ name: String)
  /// Free-form text kept with the tensors.
  var metadata: [String: String] { get }
  /// Where the tensors come from, for messages.
  var origin: String { get }
}

extension TensorSource {
  /// Nothing to give back.
  public func release(_ name: String) {}
}

/// Tensors held in memory as a source.
public struct TensorDictionary: TensorSource {
  /// By full name.
  public var tensors: [String: Tensor]
  /// Free-form text beside the tensors.
  public var metadata: [String: String]
  /// Named in messages.
  public var origin: String

  /// - Parameters:
  ///   - tensors: by full name.
  ///   - metadata: free-form text beside them.
  ///   - origin: what messages call this source.
  public init(_ tensors: [String: Tensor], metadata: [String: String] = [:], origin: String = "memory") {
    self.tensors = tensors
    self.metadata = metadata
    self.origin = origin
  }

  /// All names, sorted.
  public var names: [String] { tensors.keys.sorted() }
  /// Type and shape; `nil` when there is no such tensor.
  public func info(_ name: String) -> TensorInfo? { tensors[name].map { TensorInfo(name: name, dtype: $0.dtype, shape: $0.shape) } }
  /// - Throws: ``WeightsError`` naming the source and the tensor when there is none.
  public func tensor(_ name: String) throws -> Tensor {
    guard let tensor = tensors[name] else { throw WeightsError("\(origin): there is no tensor '\(name)'") }
    return tensor
  }
}
