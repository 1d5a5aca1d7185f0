internal import CKernels
import QuickstepTensor

/// Σ coefficient·tensor where coefficients may differ from element to element; tensors `[B, …]`, fields of one
/// sample's shape or with sides of 1, for all samples or each with its own.
///
/// Contiguous float32 and float64 tensors on the CPU whose fields all samples share are summed in one pass, in Double, rounded once; everything else by tensor operations.
/// - Throws: ``SamplingError`` when a field does not fit or tensors differ; `TensorError` when an operation fails.
func elementwiseCombination(_ terms: [(tensor: Tensor, coefficient: Coefficient)]) throws -> Tensor {
  guard let first = terms.first?.tensor, first.isDefined else { throw SamplingError("a linear combination of nothing") }
  for (tensor, coefficient) in terms {
    guard tensor.isDefined, tensor.shape == first.shape, tensor.dtype == first.dtype else {
      throw SamplingError("a linear combination of tensors of different shapes or types; the first is \(first.dtype) \(first.shape)")
    }
    _ = try coefficient.field?.shape(for: first)
  }
  let isPlain = terms.allSatisfy {
    $0.tensor.device == .cpu && $0.tensor.isContiguous && !$0.tensor.requiresGradient && $0.coefficient.field?.samples ?? 1 == 1
  }
  let sample = Array(first.shape.dropFirst())
  switch first.dtype {
  case .float32 where isPlain: return try fused(terms, sample, Float.self, qs_field_combination_f32)
  case .float64 where isPlain: return try fused(terms, sample, Double.self, qs_field_combination_f64)
  default: return try composed(terms)
  }
}

private typealias Kernel<Element> = (
  UnsafeMutablePointer<Element>?, Int64, Int64, UnsafePointer<UnsafePointer<Element>?>?, UnsafePointer<UnsafePointer<Double>?>?,
  UnsafePointer<Double>?, Int32
) -> Void

private func fused<Element: TensorScalar>(
  _ terms: [(tensor: Tensor, coefficient: Coefficient)], _ sample: [Int], _ type: Element.Type, _ kernel: Kernel<Element>
) throws -> Tensor {
  let result = try withTensorErrors { Tensor.empty(terms[0].tensor.shape, dtype: Element.dtype) }
  let count = sample.reduce(1, *)
  // The tensors in `terms` keep their memory alive for the whole call, and a contiguous CPU tensor hands out its own memory.
  let inputs = try terms.map { try $0.tensor.withUnsafeBytes { $0.baseAddress?.assumingMemoryBound(to: Element.self) } }
  let fields = terms.map { $0.coefficient.field.map { expanded($0, to: sample) } ?? [] }
  try result.withUnsafeMutableBytes { memory in
    let out = memory.baseAddress?.assumingMemoryBound(to: Element.self)
    withExtendedLifetime(terms) {
      withPointers(fields[...], []) {
        kernel(out, Int64(terms[0].tensor.size(0)), Int64(count), inputs, $0, terms.map(\.coefficient.scalar), Int32(terms.count))
      }
    }
  }
  return result
}

/// Pointers to the arrays, null for empty ones, all valid during the call of `body`.
private func withPointers(_ arrays: ArraySlice<[Double]>, _ found: [UnsafePointer<Double>?], _ body: ([UnsafePointer<Double>?]) -> Void) {
  guard let first = arrays.first else { return body(found) }
  first.withUnsafeBufferPointer { withPointers(arrays.dropFirst(), found + [first.isEmpty ? nil : $0.baseAddress], body) }
}

private func padded(_ shape: [Int], to rank: Int) -> [Int] { Array(repeating: 1, count: max(0, rank - shape.count)) + shape }

/// A field with the sides of 1 written out.
private func expanded(_ field: Coefficient.Field, to sample: [Int]) -> [Double] {
  let count = sample.reduce(1, *)
  guard field.values.count < count else { return field.values }
  var values = field.values
  // From the last side on: what lies behind it is written out already.
  var behind = 1
  for (side, wanted) in zip(padded(field.shape, to: sample.count), sample).reversed() {
    if side == 1, wanted > 1 {
      values = stride(from: 0, to: values.count, by: behind).flatMap { start in
        (0..<wanted).flatMap { _ in values[start..<start + behind] }
      }
    }
    behind *= wanted
  }
  return values
}

private func composed(_ terms: [(tensor: Tensor, coefficient: Coefficient)]) throws -> Tensor {
  try withTensorErrors {
    var sum: Tensor?
    for (tensor, coefficient) in terms {
      let product = try coefficient.field.map { tensor * (try $0.tensor(for: tensor)) } ?? tensor * coefficient.scalar
      sum = sum.map { $0 + product } ?? product
    }
    return (sum ?? .undefined).contiguous()
  }
}

extension Coefficient.Field {
  /// The shape of one sample's numbers with as many sides as those of `states`, `[B, …]`.
  /// - Throws: ``SamplingError`` when they are those of other samples.
  func shape(for states: Tensor) throws -> [Int] {
    let sample = Array(states.shape.dropFirst())
    let whole = padded(shape, to: sample.count)
    guard whole.count == sample.count, zip(whole, sample).allSatisfy({ $0 == 1 || $0 == $1 }) else {
      throw SamplingError("coefficients of shape \(shape) do not fit samples of shape \(sample); statistics hold for one size")
    }
    guard samples == 1 || samples == states.size(0) else {
      throw SamplingError("coefficients of \(samples) samples do not fit a batch of \(states.size(0))")
    }
    return whole
  }

  /// The numbers as a tensor that multiplies `states`, `[B, …]`.
  /// - Throws: ``SamplingError`` when they are those of other samples.
  func tensor(for states: Tensor) throws -> Tensor {
    Tensor(values, shape: [samples] + (try shape(for: states))).to(states.dtype, states.device)
  }
}
