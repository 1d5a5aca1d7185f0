internal import CTorch

/// Owns one reference to a libtorch tensor.
///
/// `@unchecked Sendable`: the reference count is atomic and reading a tensor from several threads is safe in libtorch. Methods that
/// write in place end in `InPlace`; whoever calls one must be the tensor's only user at that time (the trainer is).
final class TensorHandle: @unchecked Sendable {
  let pointer: qs_tensor?
  /// Takes over the reference.
  init(owning pointer: qs_tensor?) { self.pointer = pointer }
  deinit { qs_tensor_release(pointer) }

  static let undefined = TensorHandle(owning: nil)
}
