internal import CKernels
internal import QuickstepTensor

/// What prepared layers ask of the tensors they are given.
enum KernelTensors {
  /// Row-major float32, or `nil` for a tensor that kernels cannot take.
  static func rows(_ tensor: Tensor) -> Tensor? {
    guard tensor.isDefined, tensor.device == .cpu, tensor.dtype == .float32, !tensor.requiresGradient else { return nil }
    return tensor.isContiguous ? tensor : tensor.contiguous()
  }

  /// `[B, C, H, W]` as contiguous `[B, H, W, C]`; a copy unless channels were innermost already.
  static func pixels(_ tensor: Tensor) -> Tensor? {
    guard tensor.rank == 4 else { return nil }
    return rows(tensor.permute([0, 2, 3, 1]))
  }

  /// A new `[B, H, W, C]` tensor, and the same memory as `[B, C, H, W]`.
  static func makePixels(_ batch: Int, _ height: Int, _ width: Int, _ channels: Int) -> (memory: Tensor, picture: Tensor) {
    let memory = Tensor.empty([batch, height, width, channels], dtype: .float32)
    return (memory, memory.permute([0, 3, 1, 2]))
  }

  static func scratch(_ bytes: Int64) -> Tensor { Tensor.empty([Int(bytes)], dtype: .uint8) }

  /// The failure of an operation on a tensor that prepared layers cannot take; an undefined one has failed already.
  static func refused(_ input: Tensor, _ operation: String) -> Tensor {
    guard input.isDefined else { return .undefined }
    return .failed("\(operation): a prepared layer takes float32 tensors on the CPU without gradients, not \(input)")
  }
}

extension Tensor {
  var floats: UnsafeMutablePointer<Float>? { address?.assumingMemoryBound(to: Float.self) }
}
