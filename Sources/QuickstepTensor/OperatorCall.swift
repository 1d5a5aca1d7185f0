internal import CTorch

/// A libtorch operator, looked up once by schema name.
package struct TorchOperator: @unchecked Sendable {
  let pointer: qs_operator?
  let name: String

  package init(_ name: String, _ overload: String = "") {
    self.name = overload.isEmpty ? name : "\(name).\(overload)"
    pointer = qs_operator_find(name, overload)
  }

  /// The schema as this libtorch declares it; `nil` when it has no such operator.
  package var schema: String? {
    guard let pointer, let text = qs_operator_schema(pointer) else { return nil }
    defer { qs_string_free(text) }
    return String(cString: text)
  }
}

/// One call of an operator: push the arguments in schema order, then take the result.
///
/// If any argument is undefined the call is not made and the result is undefined: the failure that caused it has been recorded already.
struct OperatorCall {
  private let frame: qs_frame?
  private var isPoisoned = false

  @inline(__always)
  init(_ op: TorchOperator) {
    if let pointer = op.pointer {
      frame = qs_frame_begin(pointer)
    } else {
      frame = nil
      isPoisoned = true
      qs_error_record("this libtorch (\(Machine.libtorchVersion) expected) has no operator \(op.name)")
    }
  }

  @inline(__always)
  mutating func push(_ tensor: Tensor) {
    guard let pointer = tensor.handle.pointer else { return isPoisoned = true }
    if let frame { qs_push_tensor(frame, pointer) }
  }
  mutating func push(_ tensor: Tensor?) {
    if let tensor { push(tensor) } else { pushNone() }
  }
  mutating func push(_ tensors: [Tensor]) {
    if tensors.contains(where: { !$0.isDefined }) { isPoisoned = true }
    guard let frame, !isPoisoned else { return }
    let pointers = tensors.map(\.handle.pointer)
    qs_push_tensors(frame, pointers, Int64(pointers.count))
    withExtendedLifetime(tensors) {}
  }
  mutating func push(_ tensors: [Tensor?]) {
    if tensors.contains(where: { $0.map { !$0.isDefined } ?? false }) { isPoisoned = true }
    guard let frame, !isPoisoned else { return }
    let pointers = tensors.map { $0?.handle.pointer }
    qs_push_optional_tensors(frame, pointers, Int64(pointers.count))
    withExtendedLifetime(tensors) {}
  }
  mutating func pushNone() { if let frame { qs_push_none(frame) } }
  mutating func push(_ value: Int) { if let frame { qs_push_int(frame, Int64(value)) } }
  mutating func push(_ value: Double) { if let frame { qs_push_double(frame, value) } }
  mutating func push(_ value: Bool) { if let frame { qs_push_bool(frame, value) } }
  mutating func push(_ value: String) { if let frame { qs_push_string(frame, value) } }
  mutating func push(_ value: Int?) { if let value { push(value) } else { pushNone() } }
  mutating func push(_ value: Double?) { if let value { push(value) } else { pushNone() } }
  mutating func push(_ value: Bool?) { if let value { push(value) } else { pushNone() } }
  mutating func push(_ value: String?) { if let value { push(value) } else { pushNone() } }
  mutating func push(_ value: DType) { push(Int(value.rawValue)) }
  mutating func push(_ value: DType?) { push(value.map { Int($0.rawValue) }) }
  mutating func push(_ value: MemoryFormat?) { push(value.map { Int($0.rawValue) }) }
  mutating func push(_ value: Device?) {
    guard let frame else { return }
    if let value { qs_push_device(frame, value.type, Int32(value.index)) } else { qs_push_none(frame) }
  }
  mutating func push(_ value: Generator?) {
    guard let frame else { return }
    if let value { qs_push_generator(frame, value.pointer) } else { qs_push_none(frame) }
  }
  mutating func push(_ value: Scalar) {
    switch value {
    case .integer(let value): push(value)
    case .real(let value): push(value)
    }
  }
  mutating func push(_ value: Scalar?) { if let value { push(value) } else { pushNone() } }
  mutating func push(_ values: [Int]) {
    guard let frame else { return }
    values.withUnsafeBufferPointer { buffer in
      // Int and Int64 have the same layout on every platform libtorch supports.
      buffer.withMemoryRebound(to: Int64.self) { qs_push_ints(frame, $0.baseAddress, Int64($0.count)) }
    }
  }
  mutating func push(_ values: [Int]?) { if let values { push(values) } else { pushNone() } }
  mutating func push(_ values: [Double]) { if let frame { qs_push_doubles(frame, values, Int64(values.count)) } }
  mutating func push(_ values: [Double]?) { if let values { push(values) } else { pushNone() } }
  mutating func push(_ values: [Bool]) { if let frame { qs_push_bools(frame, values, Int64(values.count)) } }

  /// Makes the call; false when it failed or an argument was undefined.
  private func run() -> Bool {
    guard let frame, !isPoisoned else { return false }
    return qs_frame_call(frame) == 0
  }
  private func end() { if let frame { qs_frame_end(frame) } }

  func tensor() -> Tensor {
    defer { end() }
    guard run(), let frame else { return .undefined }
    return Tensor(owning: qs_frame_take_tensor(frame, 0))
  }
  func tensors2() -> (Tensor, Tensor) {
    defer { end() }
    guard run(), let frame else { return (.undefined, .undefined) }
    return (Tensor(owning: qs_frame_take_tensor(frame, 0)), Tensor(owning: qs_frame_take_tensor(frame, 1)))
  }
  func tensors3() -> (Tensor, Tensor, Tensor) {
    defer { end() }
    guard run(), let frame else { return (.undefined, .undefined, .undefined) }
    return (
      Tensor(owning: qs_frame_take_tensor(frame, 0)), Tensor(owning: qs_frame_take_tensor(frame, 1)),
      Tensor(owning: qs_frame_take_tensor(frame, 2))
    )
  }
  func list() -> [Tensor] {
    defer { end() }
    guard run(), let frame else { return [] }
    return (0..<qs_frame_list_count(frame, 0)).map { Tensor(owning: qs_frame_list_tensor(frame, 0, $0)) }
  }
  func bool() -> Bool {
    defer { end() }
    guard run(), let frame else { return false }
    return qs_frame_bool(frame, 0)
  }
  func nothing() {
    defer { end() }
    _ = run()
  }
}

/// A number given to an operator: libtorch treats integers and reals differently when it decides the result's type.
public enum Scalar: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
  /// Sums and products of it with whole numbers stay whole.
  case integer(Int)
  /// Sums and products of it with whole numbers are floating-point.
  case real(Double)
  /// `2` is a whole number.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// `2.0` is a real number.
  public init(floatLiteral value: Double) { self = .real(value) }
  /// A real number.
  public init(_ value: Double) { self = .real(value) }
  /// A whole number.
  public init(_ value: Int) { self = .integer(value) }
}
