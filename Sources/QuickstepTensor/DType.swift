/// Element types. Raw values are libtorch's own numbers.
public enum DType: Int32, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// Whole numbers 0…255.
  case uint8 = 0
  /// Whole numbers −128…127.
  case int8 = 1
  /// Whole numbers of 16 bits with sign.
  case int16 = 2
  /// Whole numbers of 32 bits with sign.
  case int32 = 3
  /// Whole numbers of 64 bits with sign: indices and class labels.
  case int64 = 4
  /// IEEE half precision: 11 significant bits, at most 65504.
  case float16 = 5
  /// IEEE single precision: 24 significant bits.
  case float32 = 6
  /// IEEE double precision: 53 significant bits.
  case float64 = 7
  /// Two `float16`.
  case complex32 = 8
  /// Two `float32`.
  case complex64 = 9
  /// Two `float64`.
  case complex128 = 10
  /// One byte, 0 or 1: masks.
  case bool = 11
  /// The upper half of a `float32`: its range, 8 significant bits.
  case bfloat16 = 15
  /// Eight bits: 5 of exponent, 2 of mantissa, with infinities; at most 57344.
  case float8e5m2 = 23
  /// Eight bits: 4 of exponent, 3 of mantissa, no infinities; at most 448.
  case float8e4m3fn = 24
  /// Whole numbers 0…65535. Few operators take it.
  case uint16 = 27
  /// Whole numbers of 32 bits without sign. Few operators take it.
  case uint32 = 28
  /// Whole numbers of 64 bits without sign. Few operators take it.
  case uint64 = 29

  /// Size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .uint8, .int8, .bool, .float8e5m2, .float8e4m3fn: 1
    case .int16, .float16, .bfloat16, .uint16: 2
    case .int32, .float32, .complex32, .uint32: 4
    case .int64, .float64, .complex64, .uint64: 8
    case .complex128: 16
    }
  }

  /// Whether values are (real) floating-point numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .float32, .float64, .bfloat16, .float8e5m2, .float8e4m3fn: true
    default: false
    }
  }

  /// Whether values have a real and an imaginary part.
  public var isComplex: Bool {
    switch self {
    case .complex32, .complex64, .complex128: true
    default: false
    }
  }

  public var description: String {
    switch self {
    case .uint8: "uint8"
    case .int8: "int8"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .float16: "float16"
    case .float32: "float32"
    case .float64: "float64"
    case .complex32: "complex32"
    case .complex64: "complex64"
    case .complex128: "complex128"
    case .bool: "bool"
    case .bfloat16: "bfloat16"
    case .float8e5m2: "float8_e5m2"
    case .float8e4m3fn: "float8_e4m3fn"
    case .uint16: "uint16"
    case .uint32: "uint32"
    case .uint64: "uint64"
    }
  }

  /// Reads names as users write them: `float32`, `fp16`, `bf16`, …
  public init?(name: String) {
    let short: [String: DType] = [
      "fp32": .float32, "f32": .float32, "fp16": .float16, "f16": .float16, "half": .float16, "bf16": .bfloat16, "fp64": .float64,
      "f64": .float64,
    ]
    guard let type = short[name.lowercased()] ?? DType.allCases.first(where: { $0.description == name.lowercased() }) else { return nil }
    self = type
  }
}

/// A Swift number type that has a tensor element type.
public protocol TensorScalar: Sendable, BitwiseCopyable {
  /// The element type with the same layout.
  static var dtype: DType { get }
}
extension Float: TensorScalar { public static var dtype: DType { .float32 } }
extension Double: TensorScalar { public static var dtype: DType { .float64 } }
extension Int64: TensorScalar { public static var dtype: DType { .int64 } }
extension Int: TensorScalar { public static var dtype: DType { .int64 } }
extension Int32: TensorScalar { public static var dtype: DType { .int32 } }
extension Int16: TensorScalar { public static var dtype: DType { .int16 } }
extension Int8: TensorScalar { public static var dtype: DType { .int8 } }
extension UInt8: TensorScalar { public static var dtype: DType { .uint8 } }
extension Bool: TensorScalar { public static var dtype: DType { .bool } }
