internal import CTorch

extension Tensor {
  /// Copies `values` (row-major) into a new CPU tensor.
  /// An error is recorded and the result is undefined when their number does not fit `shape`.
  public init<Element: TensorScalar>(_ values: [Element], shape: [Int]) {
    guard shape.allSatisfy({ $0 >= 0 }), shape.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue }) == values.count else {
      qs_error_record("\(values.count) values do not fill the shape \(shape)")
      self = .undefined
      return
    }
    let tensor = Tensor.empty(shape, dtype: Element.dtype)
    if let pointer = tensor.handle.pointer, !values.isEmpty, let data = qs_tensor_data(pointer) {
      values.withUnsafeBytes { data.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }
    self = tensor
  }

  /// A one-dimensional CPU tensor of `values`.
  public init<Element: TensorScalar>(_ values: [Element]) { self.init(values, shape: [values.count]) }

  /// A zero-dimensional CPU tensor.
  public init<Element: TensorScalar>(scalar value: Element) { self.init([value], shape: []) }

  /// Wraps row-major memory without copying it. `owner` is kept alive as long as any tensor uses the memory.
  ///
  /// Memory that must not be written to (a read-only file mapping) must only be used with operations that do not write in place.
  /// - Throws: ``TensorError`` when libtorch refuses the shape.
  public init(borrowing memory: UnsafeRawPointer, shape: [Int], dtype: DType, owner: AnyObject) throws {
    let context = Unmanaged.passRetained(owner)
    var result: qs_tensor?
    let status = shape.map { Int64($0) }.withUnsafeBufferPointer { sizes in
      qs_tensor_from_memory(
        UnsafeMutableRawPointer(mutating: memory), sizes.baseAddress, Int64(sizes.count), dtype.rawValue, context.toOpaque(),
        { context in if let context { Unmanaged<AnyObject>.fromOpaque(context).release() } }, &result)
    }
    guard status == 0 else {
      context.release()
      throw TensorError("tensor of shape \(shape): \(String(cString: qs_last_error()))")
    }
    self.init(owning: result)
  }

  /// Calls `body` with the elements in row-major order, copying to the CPU first where needed.
  /// - Throws: ``TensorError`` when the tensor is undefined or has no memory; what `body` throws.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    let flat = try withTensorErrors { (device == .cpu ? self : to(.cpu)).contiguous() }
    try flat.checkDefined()
    guard let pointer = flat.handle.pointer else { throw TensorError("undefined tensor") }
    guard flat.count > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard let data = qs_tensor_data(pointer) else { throw TensorError("a tensor on \(device) has no memory to read") }
    return try withExtendedLifetime(flat) { try body(UnsafeRawBufferPointer(start: data, count: flat.byteCount)) }
  }

  /// Calls `body` with the memory of a contiguous CPU tensor, for writing in place.
  /// - Throws: ``TensorError`` when the tensor is not contiguous or not on the CPU.
  package func withUnsafeMutableBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) throws -> Result {
    guard let pointer = handle.pointer, device == .cpu, isContiguous else { throw TensorError("\(self) cannot be written directly") }
    guard count > 0 else { return try body(UnsafeMutableRawBufferPointer(start: nil, count: 0)) }
    guard let data = qs_tensor_data(pointer) else { throw TensorError("\(self) has no memory") }
    return try withExtendedLifetime(self) { try body(UnsafeMutableRawBufferPointer(start: data, count: byteCount)) }
  }

  /// The elements in row-major order.
  /// - Throws: ``TensorError`` when the element type differs from `Element` (convert with ``to(_:)-(DType)`` first).
  public func scalars<Element: TensorScalar>(_ type: Element.Type = Element.self) throws -> [Element] {
    try checkDefined()
    guard dtype == Element.dtype else { throw TensorError("elements are \(dtype), asked for \(Element.dtype)") }
    return try withUnsafeBytes { Array($0.bindMemory(to: Element.self)) }
  }

  /// The only element, converted to Double.
  /// - Throws: ``TensorError`` when there is not exactly one.
  public func item() throws -> Double {
    try checkDefined()
    guard count == 1 else { throw TensorError("item() of a tensor of shape \(shape)") }
    let value = try withTensorErrors { detach().to(.float64) }.scalars(Double.self)
    return value[0]
  }
}

extension Tensor {
  /// Address of the first element of a contiguous CPU tensor, for kernels; `nil` when there is none. Valid while the tensor lives.
  package var address: UnsafeMutableRawPointer? {
    guard let pointer = handle.pointer, device == .cpu, isContiguous, count > 0 else { return nil }
    return qs_tensor_data(pointer)
  }

  /// Records a failure in the current ``withTensorErrors(_:)``, as a failing operation does.
  package static func failed(_ message: String) -> Tensor {
    qs_error_record(message)
    return .undefined
  }
}
