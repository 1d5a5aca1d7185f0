internal import CKernels
public import QuickstepTensor

/// Σ coefficient·tensor, all of one shape and type, added in order.
///
/// Contiguous float32 and float64 tensors on the CPU are summed in one pass, in Double, rounded once. Everything else (GPU, half types,
/// other layouts, tensors that carry gradients) uses tensor operations in the tensors' own precision.
/// - Throws: ``SamplingError`` when there is nothing to add or shapes and types differ; `TensorError` when an operation fails.
public func linearCombination(_ terms: [(tensor: Tensor, coefficient: Double)]) throws -> Tensor {
  guard let first = terms.first?.tensor else { throw SamplingError("a linear combination of nothing; allowed: 1 term and above") }
  for (index, term) in terms.enumerated() {
    guard term.tensor.isDefined else { throw SamplingError("term \(index) of a linear combination is the result of a failed operation") }
    guard term.tensor.shape == first.shape, term.tensor.dtype == first.dtype else {
      throw SamplingError(
        "term \(index) of a linear combination is \(term.tensor.dtype) \(term.tensor.shape); "
          + "term 0 is \(first.dtype) \(first.shape); allowed: all the same")
    }
  }
  let isPlain = terms.allSatisfy { $0.tensor.device == .cpu && $0.tensor.isContiguous && !$0.tensor.requiresGradient }
  switch first.dtype {
  case .float32 where isPlain: return try fused(terms, Float.self, qs_linear_combination_f32)
  case .float64 where isPlain: return try fused(terms, Double.self, qs_linear_combination_f64)
  default: return try composed(terms)
  }
}

private typealias Kernel<Element> = (
  UnsafeMutablePointer<Element>?, Int64, UnsafePointer<UnsafePointer<Element>?>?, UnsafePointer<Double>?, Int32
) -> Void

private func fused<Element: TensorScalar>(
  _ terms: [(tensor: Tensor, coefficient: Double)], _ type: Element.Type, _ kernel: Kernel<Element>
) throws -> Tensor {
  let result = try withTensorErrors { Tensor.empty(terms[0].tensor.shape, dtype: Element.dtype) }
  var pointers: [UnsafePointer<Element>?] = []
  // The tensors in `terms` keep their memory alive for the whole call, and a contiguous CPU tensor hands out its own memory.
  for term in terms {
    pointers.append(try term.tensor.withUnsafeBytes { $0.baseAddress?.assumingMemoryBound(to: Element.self) })
  }
  let coefficients = terms.map(\.coefficient)
  try result.withUnsafeMutableBytes { memory in
    let out = memory.baseAddress?.assumingMemoryBound(to: Element.self)
    withExtendedLifetime(terms) { kernel(out, Int64(result.count), pointers, coefficients, Int32(terms.count)) }
  }
  return result
}

private func composed(_ terms: [(tensor: Tensor, coefficient: Double)]) throws -> Tensor {
  try withTensorErrors {
    var sum = terms[0].tensor * terms[0].coefficient
    for term in terms.dropFirst() { sum = sum + term.tensor * term.coefficient }
    return sum
  }
}
