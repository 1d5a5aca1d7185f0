public import QuickstepTensor

/// How the factors that a file holds for one layer make the change of its weight. One kind is one file and one line of ``AdapterForms/all``.
public protocol AdapterForm: Sendable {
  /// What users call it.
  static var kind: String { get }
  /// Endings of keys with the factor they hold, the most specific first.
  static var endings: [(ending: String, factor: String)] { get }

  /// - Parameters:
  ///   - keys: keys in the file by factor; those that say nothing of this kind are left out.
  ///   - shape: of a key's tensor.
  /// - Returns: `nil` where factors are missing.
  init?(keys: [String: String], shape: (String) -> [Int])

  /// What α is divided by; `nil` where no factor has it, so that there is nothing to divide.
  var rank: Int? { get }
  /// Keys of the factors, for messages.
  var keys: [String] { get }
  /// Whether the factors fit a weight of shape `[out, in]` or `[out, in, kernel…]`.
  func fits(_ weight: [Int], shape: (String) -> [Int]) -> Bool
  /// ΔW without any scale, in the shape of the weight.
  /// - Parameter factor: a key's tensor in float32.
  /// - Throws: `TensorError` or `FormatError` for a weight that the factors do not fit; what reading throws.
  func change(_ weight: [Int], factor: (String) throws -> Tensor) throws -> Tensor
}

/// All kinds of adapters that files may hold.
public enum AdapterForms {
  /// In the order in which keys are looked up.
  public static let all: [any AdapterForm.Type] = [LowRankForm.self, HadamardForm.self, KroneckerForm.self]
}

/// The product of two factors, or of three where a convolution's kernel was decomposed (Tucker): `[out, r] · [r, in·kernel]`, or
/// Σ kernel[m, n, y, x] · a[m, out] · b[n, in]. The building block of LoHa and LoKr.
struct FactorProduct: Sendable {
  let left: String, right: String
  /// The kernel `[r, r, y, x]`; then `left` is `[r, out]`.
  let core: String?

  func rank(_ shape: (String) -> [Int]) -> Int { shape(right).first ?? 0 }

  func fits(_ weight: [Int], shape: (String) -> [Int]) -> Bool {
    let (left, right) = (shape(left), shape(right))
    guard weight.count >= 2, left.count == 2, right.count >= 2, right[0] > 0 else { return false }
    guard let core = core.map(shape) else {
      return left == [weight[0], right[0]] && right.dropFirst().reduce(1, *) == weight.dropFirst().reduce(1, *)
    }
    return core.count == weight.count && core.count > 2 && Array(core.dropFirst(2)) == Array(weight.dropFirst(2)) && core[0] == left[0]
      && core[1] == right[0] && left[1] == weight[0] && right == [core[1], weight[1]]
  }

  func value(_ weight: [Int], factor: (String) throws -> Tensor) throws -> Tensor {
    let (left, right, core) = (try factor(left), try factor(right), try core.map(factor))
    return try withTensorErrors {
      guard let core else { return left.matmul(right.flatten(startDim: 1)).reshape(weight) }
      // Kernel positions first, so that both sums are products of matrices.
      let axes = Array(2..<core.rank) + [0, 1]
      let mixed = left.transpose(0, dim1: 1).matmul(core.permute(axes)).matmul(right)
      return mixed.permute([core.rank - 2, core.rank - 1] + (0..<core.rank - 2)).reshape(weight)
    }
  }
}
