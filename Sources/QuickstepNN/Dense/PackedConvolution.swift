internal import CKernels
internal import QuickstepTensor

/// The kernel of a convolution in the kernels' order. `[B, in, H, W] → [B, out, H', W']`, channels innermost in memory.
struct PackedConvolution: Sendable {
  let packed: Tensor
  let shape: ConvolutionShape
  let storage: Int32
  let method: ConvolutionMethod

  /// - Parameter weight: `[out, in, kernel, kernel]`, float32; without memory for outlines, whose layers count and cannot run.
  init?(_ weight: Tensor, shape: ConvolutionShape, preparation: LayerPreparation) {
    let isOutline = weight.device == .meta
    guard shape.groups == 1, let rows = isOutline ? weight : KernelTensors.rows(weight) else { return nil }
    self.shape = shape
    storage = preparation.storageCode
    method = preparation.convolution
    var sizes = Self.sizes(shape, batch: 1, height: shape.kernel, width: shape.kernel)
    let count = Int(qs_convolution_packed_count(&sizes))
    packed = Tensor.empty([count], dtype: preparation.packedType, device: weight.device)
    if isOutline { return }
    guard let source = rows.floats, let target = packed.address else { return nil }
    qs_convolution_pack(source, &sizes, storage, target)
    withExtendedLifetime(rows) {}
  }

  var byteCount: Int { packed.byteCount }

  /// activation(convolution + bias + shift) + residual.
  /// - Parameters:
  ///   - bias: `[out]`.
  ///   - shift: `[B, out]`, the same for all pixels of a sample.
  ///   - residual: of the result's shape.
  func callAsFunction(_ input: Tensor, bias: Tensor?, shift: Tensor?, activation: Activation, residual: Tensor?) -> Tensor {
    guard input.rank == 4, input.size(1) == shape.input else {
      return input.isDefined ? .failed("convolution: \(input.shape) is not [B, \(shape.input), H, W]") : .undefined
    }
    guard let pixels = KernelTensors.pixels(input) else { return KernelTensors.refused(input, "convolution") }
    var sizes = Self.sizes(shape, batch: input.size(0), height: input.size(2), width: input.size(3))
    let (height, width) = (Int(qs_convolution_out_height(&sizes)), Int(qs_convolution_out_width(&sizes)))
    guard height > 0, width > 0 else { return .failed("convolution: \(input.shape) is smaller than the kernel of \(shape.kernel)") }
    let (memory, picture) = KernelTensors.makePixels(input.size(0), height, width, shape.output)
    let other = residual.flatMap(KernelTensors.pixels)
    guard residual == nil || other?.shape == memory.shape else {
      return residual?.isDefined == false
        ? .undefined : .failed("convolution: the residual \(residual?.shape ?? []) is not \(picture.shape)")
    }
    let biases = Self.joined(bias, shift)
    var epilogue = qs_epilogue(
      bias: biases?.floats, bias_stride: shift == nil ? 0 : Int64(shape.output), residual: other?.floats, activation: activation.code)
    guard shift == nil || (biases?.shape == [input.size(0), shape.output] && biases?.floats != nil) else {
      return shift?.isDefined == false ? .undefined : .failed("convolution: the shift \(shift?.shape ?? []) is not [B, \(shape.output)]")
    }
    run(pixels, &sizes, &epilogue, into: memory)
    withExtendedLifetime((other, biases)) {}
    return picture
  }

  private func run(_ input: Tensor, _ sizes: inout qs_convolution, _ epilogue: inout qs_epilogue, into result: Tensor) {
    guard let source = input.floats, let target = result.floats, let weights = packed.address else { return }
    OperationCount.add(Double(result.count) * Double(shape.input * shape.kernel * shape.kernel))
    if sizes.kernel == 1, sizes.stride == 1, shape.padding == 0, epilogue.bias_stride == 0 {
      let scratch = KernelTensors.scratch(qs_matrix_scratch(sizes.inputs))
      let rows = sizes.batch * sizes.height * sizes.width
      qs_matrix_multiply(source, rows, sizes.inputs, weights, storage, sizes.outputs, &epilogue, target, scratch.address)
    } else if let tile = tile(&sizes) {
      let scratch = KernelTensors.scratch(qs_winograd_scratch(&sizes, tile))
      qs_convolution_winograd(source, &sizes, tile, weights, storage, &epilogue, target, scratch.address)
    } else {
      let scratch = KernelTensors.scratch(qs_convolution_scratch(&sizes))
      qs_convolution_direct(source, &sizes, weights, storage, &epilogue, target, scratch.address)
    }
    withExtendedLifetime((input, packed)) {}
  }

  /// Side of Winograd's tiles for this shape; `nil` for the direct form.
  private func tile(_ sizes: inout qs_convolution) -> Int32? {
    // With few outputs the transforms of the inputs cost more than the multiplications they save.
    guard method != .direct, qs_winograd_applies(&sizes), sizes.outputs >= 32 else { return nil }
    switch method {
    case .winograd2: return 2
    case .winograd4: return 4
    default:
      // By the size of one sample: what a sample gives must not depend on the others of its batch.
      return ((sizes.height + 3) / 4) * ((sizes.width + 3) / 4) >= 12 ? 4 : 2
    }
  }

  private static func joined(_ bias: Tensor?, _ shift: Tensor?) -> Tensor? {
    guard let shift else { return bias }
    return KernelTensors.rows(bias.map { shift + $0 } ?? shift)
  }

  private static func sizes(_ shape: ConvolutionShape, batch: Int, height: Int, width: Int) -> qs_convolution {
    let padding = Int64(shape.padding), end = Int64(shape.padding + shape.endPadding)
    return qs_convolution(
      batch: Int64(batch), height: Int64(height), width: Int64(width), inputs: Int64(shape.input), outputs: Int64(shape.output),
      kernel: Int64(shape.kernel), stride: Int64(shape.stride), pad_top: padding, pad_left: padding, pad_bottom: end, pad_right: end)
  }
}
