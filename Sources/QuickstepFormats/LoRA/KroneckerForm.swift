public import QuickstepTensor

/// LoKr: ΔW = W₁ ⊗ W₂, the Kronecker product of two matrices (of a matrix and a convolution's kernel), each whole or a product of factors
/// (KronA, Edalati et al. 2022, arXiv 2212.10650; for diffusion models LyCORIS, Yeh et al. 2023, arXiv 2309.14859).
public struct KroneckerForm: AdapterForm {
  public static let kind = "LoKr"
  public static let endings: [(ending: String, factor: String)] = [
    (".lokr_w1_a", "w1_a"), (".lokr_w1_b", "w1_b"), (".lokr_w1", "w1"), (".lokr_w2_a", "w2_a"), (".lokr_w2_b", "w2_b"), (".lokr_w2", "w2"),
    (".lokr_t2", "t2"),
  ]

  /// One side of the product.
  private enum Side: Sendable {
    case whole(String)
    case product(FactorProduct)

    init?(_ whole: String?, _ left: String?, _ right: String?, core: String? = nil) {
      switch (whole, left, right) {
      case (let whole?, nil, nil) where core == nil: self = .whole(whole)
      case (nil, let left?, let right?): self = .product(FactorProduct(left: left, right: right, core: core))
      default: return nil
      }
    }

    var keys: [String] {
      switch self {
      case .whole(let key): [key]
      case .product(let product): [product.left, product.right] + (product.core.map { [$0] } ?? [])
      }
    }

    func rank(_ shape: (String) -> [Int]) -> Int? { if case .product(let product) = self { product.rank(shape) } else { nil } }

    /// Rows and columns of a matrix.
    func size(_ shape: (String) -> [Int]) -> [Int] {
      switch self {
      case .whole(let key): Array(shape(key).prefix(2))
      case .product(let product): [shape(product.left).first ?? 0, shape(product.right).last ?? 0]
      }
    }

    func fits(_ own: [Int], shape: (String) -> [Int]) -> Bool {
      switch self {
      // A kernel of one number may be left out.
      case .whole(let key): shape(key) == own || (shape(key) == Array(own.prefix(2)) && own.dropFirst(2).allSatisfy { $0 == 1 })
      case .product(let product): product.fits(own, shape: shape)
      }
    }

    func value(_ own: [Int], factor: (String) throws -> Tensor) throws -> Tensor {
      switch self {
      case .whole(let key):
        let tensor = try factor(key)
        return try withTensorErrors { tensor.reshape(own) }
      case .product(let product): return try product.value(own, factor: factor)
      }
    }
  }

  private let first: Side, second: Side
  /// Rows and columns of the first side.
  private let outer: [Int]
  public let rank: Int?

  public init?(keys: [String: String], shape: (String) -> [Int]) {
    guard let first = Side(keys["w1"], keys["w1_a"], keys["w1_b"]),
      let second = Side(keys["w2"], keys["w2_a"], keys["w2_b"], core: keys["t2"])
    else { return nil }
    (self.first, self.second, outer) = (first, second, first.size(shape))
    rank = first.rank(shape) ?? second.rank(shape)
    guard outer.count == 2, outer.allSatisfy({ $0 > 0 }), rank != 0 else { return nil }
  }

  public var keys: [String] { first.keys + second.keys }

  /// The second side's share of a weight; `nil` where the first does not divide it.
  private func inner(_ weight: [Int]) -> [Int]? {
    guard weight.count >= 2, weight[0] % outer[0] == 0, weight[1] % outer[1] == 0 else { return nil }
    return [weight[0] / outer[0], weight[1] / outer[1]] + weight.dropFirst(2)
  }

  public func fits(_ weight: [Int], shape: (String) -> [Int]) -> Bool {
    guard let inner = inner(weight) else { return false }
    return first.fits(outer, shape: shape) && second.fits(inner, shape: shape)
  }

  public func change(_ weight: [Int], factor: (String) throws -> Tensor) throws -> Tensor {
    guard let inner = inner(weight) else {
      throw FormatError(keys[0], "a side of \(outer[0])×\(outer[1]) does not divide a weight \(weight)")
    }
    let (first, second) = (try first.value(outer, factor: factor), try second.value(inner, factor: factor))
    return try withTensorErrors {
      // [a, 1, b, 1, 1] · [1, c, 1, d, kernel] = [a, c, b, d, kernel]
      let left = first.reshape([outer[0], 1, outer[1], 1, 1])
      return (left * second.reshape([1, inner[0], 1, inner[1], -1])).reshape(weight)
    }
  }
}
