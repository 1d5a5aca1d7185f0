public import QuickstepTensor

/// What is known of a stored tensor without reading it.
public struct TensorInfo: Sendable, Hashable {
  public var name: String
  public var dtype: DType
  public var shape: [Int]
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
  func info(_ name: String) -> TensorInfo?
  /// - Throws: when there is no such tensor or it cannot be read; the message names the source and the tensor.
  func tensor(_ name: String) throws -> Tensor
  /// Free-form text kept with the tensors.
  var metadata: [String: String] { get }
  /// Where the tensors come from, for messages.
  var origin: String { get }
}

/// Tensors held in memory as a source.
public struct TensorDictionary: TensorSource {
  public var tensors: [String: Tensor]
  public var metadata: [String: String]
  public var origin: String

  public init(_ tensors: [String: Tensor], metadata: [String: String] = [:], origin: String = "memory") {
    self.tensors = tensors
    self.metadata = metadata
    self.origin = origin
  }

  public var names: [String] { tensors.keys.sorted() }
  public func info(_ name: String) -> TensorInfo? { tensors[name].map { TensorInfo(name: name, dtype: $0.dtype, shape: $0.shape) } }
  public func tensor(_ name: String) throws -> Tensor {
    guard let tensor = tensors[name] else { throw WeightsError("\(origin): there is no tensor '\(name)'") }
    return tensor
  }
}
