internal import CTorch

/// A stream of random numbers: libtorch's own, so the same seed gives the same numbers as PyTorch on the same kind of device.
///
/// A generator is mutable state. Use it from one task at a time; libtorch locks it, so sharing one is safe but not reproducible.
public final class Generator: @unchecked Sendable {
  let pointer: qs_generator
  /// Where the numbers are made.
  public let device: Device

  /// - Parameters:
  ///   - seed: as `torch.manual_seed`; the CPU stream uses its low 32 bits.
  ///   - device: a CUDA generator gives other numbers than a CPU one.
  /// - Throws: ``TensorError`` when the device cannot be used.
  public init(seed: UInt64, device: Device = .cpu) throws {
    var created: qs_generator?
    guard qs_generator_create(device.type, Int32(device.index), seed, &created) == 0, let created else {
      throw TensorError("no generator on \(device): \(String(cString: qs_last_error()))")
    }
    pointer = created
    self.device = device
  }

  deinit { qs_generator_release(pointer) }

  /// Starts the stream over with another seed.
  public func reseed(_ seed: UInt64) { qs_generator_seed(pointer, seed) }

  /// The full state as a `uint8` tensor, for checkpoints.
  public func state() throws -> Tensor {
    var result: qs_tensor?
    guard qs_generator_state(pointer, &result) == 0 else { throw TensorError(String(cString: qs_last_error())) }
    return Tensor(owning: result)
  }

  /// Continues from a state taken with ``state()``.
  public func restore(_ state: Tensor) throws {
    guard qs_generator_set_state(pointer, state.handle.pointer) == 0 else {
      throw TensorError("generator state: \(String(cString: qs_last_error()))")
    }
  }
}
