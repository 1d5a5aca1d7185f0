internal import CTorch

extension Tensor {
  /// Whether operations on this tensor are recorded for back-propagation.
  public var requiresGradient: Bool { qs_tensor_requires_grad(handle.pointer) }

  /// Marks a leaf as a parameter to be trained (or not). Changes this tensor itself.
  public func setRequiresGradient(_ value: Bool) {
    if let pointer = handle.pointer, qs_tensor_set_requires_grad(pointer, value) != 0 { return }
  }

  /// The gradient accumulated by ``backward(keepGraph:)``, if any.
  public var gradient: Tensor? { qs_tensor_grad(handle.pointer).map { Tensor(owning: $0) } }

  /// Replaces or clears the accumulated gradient.
  public func setGradient(_ gradient: Tensor?) {
    if let pointer = handle.pointer { _ = qs_tensor_set_grad(pointer, gradient?.handle.pointer) }
  }

  /// Back-propagates from this scalar into all leaves that require a gradient. Failures go to the error scope.
  public func backward(keepGraph: Bool = false) {
    guard let pointer = handle.pointer else { return }
    var root: qs_tensor? = pointer
    var none: qs_tensor? = nil
    _ = qs_backward(&root, &none, 1, keepGraph)
  }

  /// Gradients of the sum of `outputs` (weighted by `outputGradients` where given) with respect to `inputs`.
  /// - Throws: ``TensorError`` when an input is not part of the graph.
  public static func gradients(
    of outputs: [Tensor], weightedBy outputGradients: [Tensor]? = nil, withRespectTo inputs: [Tensor], keepGraph: Bool = false,
    createGraph: Bool = false
  ) throws -> [Tensor] {
    guard outputGradients.map({ $0.count == outputs.count }) ?? true else {
      throw TensorError("\(outputGradients?.count ?? 0) weights for \(outputs.count) outputs")
    }
    let roots = outputs.map(\.handle.pointer)
    let weights = outputGradients.map { $0.map(\.handle.pointer) } ?? Array(repeating: nil, count: outputs.count)
    let leaves = inputs.map(\.handle.pointer)
    var results = [qs_tensor?](repeating: nil, count: inputs.count)
    let status = qs_gradients(
      roots, weights, Int64(roots.count), leaves, Int64(leaves.count), keepGraph || createGraph, createGraph, false, &results)
    guard status == 0 else { throw TensorError(String(cString: qs_last_error())) }
    return withExtendedLifetime((outputs, outputGradients, inputs)) { results.map { Tensor(owning: $0) } }
  }
}

/// Runs `body` without recording operations for back-propagation.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = qs_grad_mode()
  qs_set_grad_mode(false)
  defer { qs_set_grad_mode(before) }
  return try body()
}

/// Runs `body` with recording on, inside ``withoutGradients(_:)``.
public func withGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = qs_grad_mode()
  qs_set_grad_mode(true)
  defer { qs_set_grad_mode(before) }
  return try body()
}

/// Runs `body` in inference mode: the cheapest one, whose results can never take part in training.
public func withInference<Result>(_ body: () throws -> Result) rethrows -> Result {
  let guardHandle = qs_inference_begin()
  defer { qs_inference_end(guardHandle) }
  return try body()
}

/// Runs `body` with mixed precision on the given kind of device: matrix products and convolutions in `dtype`, the rest in float32.
public func withAutocast<Result>(_ device: Device, dtype: DType = .bfloat16, enabled: Bool = true, _ body: () throws -> Result) rethrows
  -> Result
{
  let before = (qs_autocast_enabled(device.type), qs_autocast_dtype(device.type))
  qs_set_autocast(device.type, enabled, dtype.rawValue)
  defer {
    qs_set_autocast(device.type, before.0, before.1)
    qs_autocast_clear_cache()
  }
  return try body()
}
