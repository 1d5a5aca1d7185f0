internal import CKernels
public import QuickstepTensor

/// softmax(Q·Kᵀ·scale + mask)·V for several heads, without ever holding all scores.
public struct ScaledAttention: Sendable {
  private let isPrepared: Bool

  /// - Parameter weights: any scope of the model; decides whether the model's layers are prepared.
  public init(_ weights: Weights) { isPrepared = weights.preparation != nil }

  /// - Parameters:
  ///   - query: `[B, N, heads, size]`.
  ///   - key: `[B, M, heads, size]`.
  ///   - value: `[B, M, heads, size]`.
  ///   - mask: added to the scores (0 keeps, −∞ hides) or boolean (true keeps), broadcast to `[B, heads, N, M]`.
  ///   - scale: 1/√size when `nil`.
  /// - Returns: `[B, N, heads · size]`.
  public func callAsFunction(_ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, scale: Double? = nil) -> Tensor {
    if isPrepared, let result = prepared(query, key, value, mask: mask, scale: scale) { return result }
    let mixed = query.transpose(1, dim1: 2).scaledDotProductAttention(
      key.transpose(1, dim1: 2), value: value.transpose(1, dim1: 2), attnMask: mask, scale: scale)
    return mixed.transpose(1, dim1: 2).reshape([query.size(0), query.size(1), query.size(2) * query.size(3)])
  }

  /// By our own kernel, or `nil` where it does not apply.
  private func prepared(_ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor?, scale: Double?) -> Tensor? {
    let shape = query.shape
    guard shape.count == 4, key.shape == value.shape, key.rank == 4, key.size(0) == shape[0], key.shape.dropFirst(2) == shape.dropFirst(2),
      let q = KernelTensors.rows(query), let k = KernelTensors.rows(key), let v = KernelTensors.rows(value)
    else { return nil }
    let keys = key.size(1)
    var hidden: Tensor?
    if let mask {
      guard let found = Self.keyMask(mask, batch: shape[0], keys: keys) else { return nil }
      hidden = found
    }
    let width = shape[2] * shape[3]
    let result = Tensor.empty([shape[0], shape[1], width], dtype: .float32)
    let (row, stride) = (Int64(shape[1] * width), Int64(width))
    var sizes = qs_attention_shape(
      batch: Int64(shape[0]), heads: Int64(shape[2]), size: Int64(shape[3]), queries: Int64(shape[1]), keys: Int64(keys),
      query_stride: stride, key_stride: stride, value_stride: stride, out_stride: stride, query_batch: row,
      key_batch: Int64(keys * width), value_batch: Int64(keys * width), out_batch: row,
      scale: Float(scale ?? 1 / Double(shape[3]).squareRoot()), mask: hidden?.floats)
    let scratch = KernelTensors.scratch(qs_attention_scratch(&sizes))
    guard let left = q.floats, let right = k.floats, let values = v.floats, let target = result.floats else { return result }
    OperationCount.add(2 * Double(result.count) * Double(keys))
    qs_attention(&sizes, left, right, values, target, scratch.address)
    withExtendedLifetime((q, k, v, hidden, scratch)) {}
    return result
  }

  /// A mask that hides keys from all queries and heads alike, as `[B, M]` to be added; `nil` for other masks.
  private static func keyMask(_ mask: Tensor, batch: Int, keys: Int) -> Tensor? {
    guard mask.rank >= 1, mask.size(-1) == keys, mask.count == keys * (mask.rank == 4 ? mask.size(0) : 1),
      mask.rank < 4 || mask.size(0) == 1 || mask.size(0) == batch
    else { return nil }
    let flat = mask.reshape([-1, keys]).expand([batch, keys])
    guard mask.dtype == .bool else { return KernelTensors.rows(flat.to(.float32)) }
    return KernelTensors.rows(Tensor.zeros([batch, keys], dtype: .float32).maskedFill(flat.logicalNot(), value: .real(-.infinity)))
  }
}
