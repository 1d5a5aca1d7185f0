internal import CKernels
internal import QuickstepTensor

/// The weight of a linear layer in the kernels' order. `[…, in] → […, out]`.
struct PackedMatrix: Sendable {
  let packed: Tensor
  let inputs: Int
  /// Rows of the weight; a gated layer has half as many results.
  let outputs: Int
  let isGated: Bool
  let storage: Int32

  /// - Parameter weight: `[out, in]`, float32; without memory for outlines, whose layers count and cannot run.
  init?(_ weight: Tensor, isGated: Bool, preparation: LayerPreparation) {
    let isOutline = weight.device == .meta
    guard weight.rank == 2, let rows = isOutline ? weight : KernelTensors.rows(weight) else { return nil }
    (outputs, inputs) = (weight.size(0), weight.size(1))
    self.isGated = isGated
    storage = preparation.storageCode
    let count = Int(qs_matrix_packed_count(Int64(outputs), Int64(inputs)))
    packed = Tensor.empty([count], dtype: preparation.packedType, device: weight.device)
    if isOutline { return }
    guard let source = rows.floats, let target = packed.address else { return nil }
    qs_matrix_pack(source, Int64(outputs), Int64(inputs), isGated, storage, target)
    withExtendedLifetime(rows) {}
  }

  var byteCount: Int { packed.byteCount }

  /// activation(input·Wᵀ + bias) + residual; a·GELU(g) in place of the activation for gated layers.
  func callAsFunction(_ input: Tensor, bias: Tensor?, activation: Activation, residual: Tensor?) -> Tensor {
    guard input.size(-1) == inputs else {
      return input.isDefined ? .failed("linear: \(input.shape) does not end in \(inputs) channels") : .undefined
    }
    guard let rows = KernelTensors.rows(input) else { return KernelTensors.refused(input, "linear") }
    let result = Tensor.empty(input.shape.dropLast() + [isGated ? outputs / 2 : outputs], dtype: .float32)
    let other = residual.flatMap { KernelTensors.rows($0.expand(result.shape)) }
    let scratch = KernelTensors.scratch(qs_matrix_scratch(Int64(inputs)))
    guard residual == nil || other != nil else { return KernelTensors.refused(residual ?? input, "linear") }
    guard let source = rows.floats, let target = result.floats, let weights = packed.address else { return result }
    var epilogue = qs_epilogue(
      bias: bias?.floats, bias_stride: 0, residual: other?.floats, activation: isGated ? Int32(QS_GEGLU) : activation.code)
    let count = Int64(rows.count / max(1, inputs))
    OperationCount.add(Double(count) * Double(inputs) * Double(outputs))
    qs_matrix_multiply(source, count, Int64(inputs), weights, storage, Int64(outputs), &epilogue, target, scratch.address)
    withExtendedLifetime((rows, other, bias, packed, scratch)) {}
    return result
  }
}
