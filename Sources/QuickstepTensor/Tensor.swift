internal import CTorch

/// An n-dimensional array on some device, with autograd. A value that refers to a libtorch tensor.
///
/// Operations are methods that return new tensors (possibly views). Failures are reported through ``withTensorErrors(_:)``.
/// Shapes in this documentation are written `[B, C, H, W]`: batch, channels, height, width.
public struct Tensor: Sendable {
  let handle: TensorHandle

  init(handle: TensorHandle) { self.handle = handle }
  /// Takes over the reference; `nil` gives the undefined tensor.
  init(owning pointer: qs_tensor?) { handle = pointer == nil ? .undefined : TensorHandle(owning: pointer) }

  /// The result of a failed operation. Operations on it do nothing.
  public static var undefined: Tensor { Tensor(handle: .undefined) }

  /// False for the result of a failed operation.
  public var isDefined: Bool { handle.pointer != nil }

  /// Sizes; empty for scalars and for undefined tensors.
  public var shape: [Int] {
    guard let pointer = handle.pointer else { return [] }
    let sizes = UnsafeBufferPointer(start: qs_tensor_sizes(pointer), count: Int(qs_tensor_dimensions(pointer)))
    return sizes.map { Int($0) }
  }

  /// Elements between neighbours along each dimension.
  public var strides: [Int] {
    guard let pointer = handle.pointer else { return [] }
    let strides = UnsafeBufferPointer(start: qs_tensor_strides(pointer), count: Int(qs_tensor_dimensions(pointer)))
    return strides.map { Int($0) }
  }

  /// Number of dimensions.
  public var rank: Int { handle.pointer.map { Int(qs_tensor_dimensions($0)) } ?? 0 }

  /// Number of elements; 0 when undefined.
  public var count: Int { handle.pointer.map { Int(qs_tensor_count($0)) } ?? 0 }

  /// Size along `dimension`; negative ones count from the end. 0 (and a recorded error) when out of range.
  public func size(_ dimension: Int) -> Int {
    guard let pointer = handle.pointer else { return 0 }
    let rank = Int(qs_tensor_dimensions(pointer))
    let index = dimension < 0 ? dimension + rank : dimension
    guard index >= 0, index < rank else {
      qs_error_record("size(\(dimension)) of a tensor of shape \(shape)")
      return 0
    }
    return Int(qs_tensor_sizes(pointer)[index])
  }

  /// Element type; `float32` when undefined.
  public var dtype: DType { handle.pointer.flatMap { DType(rawValue: qs_tensor_dtype($0)) } ?? .float32 }

  /// Where the elements are; the CPU when undefined.
  public var device: Device {
    guard let pointer = handle.pointer else { return .cpu }
    var type: Int32 = 0
    var index: Int32 = 0
    qs_tensor_device(pointer, &type, &index)
    return Device(type: type, index: Int(index))
  }

  /// Whether elements lie row-major without gaps.
  public var isContiguous: Bool { isContiguous(.contiguous) }

  /// Whether elements lie in the order of `format` without gaps; false when undefined.
  public func isContiguous(_ format: MemoryFormat) -> Bool {
    handle.pointer.map { qs_tensor_is_contiguous($0, format.rawValue) } ?? false
  }

  /// Number of elements times size of one.
  public var byteCount: Int { count * dtype.byteCount }

  /// Whether both refer to the very same libtorch tensor.
  public func isIdentical(to other: Tensor) -> Bool { handle.pointer == other.handle.pointer }

  /// Throws when this is the result of a failed operation outside any ``withTensorErrors(_:)``.
  public func checkDefined(_ name: @autoclosure () -> String = "tensor") throws {
    if !isDefined {
      throw TensorError("\(name()) is undefined: an earlier operation failed (last failure: \(String(cString: qs_last_error())))")
    }
  }
}

/// How the elements of a 4-D tensor are laid out.
public enum MemoryFormat: Int32, Sendable {
  /// Row-major: the last dimension has stride 1.
  case contiguous = 0
  /// As the source of a copy has it. An argument of operators, never a property of a tensor.
  case preserve = 1
  /// `[B, C, H, W]` stored as `[B, H, W, C]`.
  case channelsLast = 2
}

extension Tensor: CustomStringConvertible {
  /// Type, shape and device, and the values when there are few.
  public var description: String {
    guard isDefined else { return "Tensor(undefined)" }
    var text = "Tensor(\(dtype), \(shape)\(device == .cpu ? "" : ", \(device)"))"
    if count <= 16, !dtype.isComplex, device != .meta, let values = try? to(.float64).scalars(Double.self) { text += " \(values)" }
    return text
  }
}
