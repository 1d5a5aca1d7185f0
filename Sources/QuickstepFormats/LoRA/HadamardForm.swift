public import QuickstepTensor

/// LoHa: ΔW = (A₁·B₁) ⊙ (A₂·B₂), two low-rank matrices multiplied number by number (FedPara, Hyeon-Woo et al. 2021, arXiv 2108.06098; for diffusion models
/// LyCORIS, Yeh et al. 2023, arXiv 2309.14859).
public struct HadamardForm: AdapterForm {
  public static let kind = "LoHa"
  public static let endings: [(ending: String, factor: String)] = [
    (".hada_w1_a", "w1_a"), (".hada_w1_b", "w1_b"), (".hada_w2_a", "w2_a"), (".hada_w2_b", "w2_b"), (".hada_t1", "t1"), (".hada_t2", "t2"),
  ]

  private let first: FactorProduct, second: FactorProduct
  public let rank: Int?

  public init?(keys: [String: String], shape: (String) -> [Int]) {
    guard let w1a = keys["w1_a"], let w1b = keys["w1_b"], let w2a = keys["w2_a"], let w2b = keys["w2_b"],
      (keys["t1"] == nil) == (keys["t2"] == nil), let rank = shape(w1b).first, rank > 0
    else { return nil }
    first = FactorProduct(left: w1a, right: w1b, core: keys["t1"])
    second = FactorProduct(left: w2a, right: w2b, core: keys["t2"])
    self.rank = rank
  }

  public var keys: [String] { [first, second].flatMap { [$0.left, $0.right] + ($0.core.map { [$0] } ?? []) } }

  public func fits(_ weight: [Int], shape: (String) -> [Int]) -> Bool {
    first.fits(weight, shape: shape) && second.fits(weight, shape: shape)
  }

  public func change(_ weight: [Int], factor: (String) throws -> Tensor) throws -> Tensor {
    let (first, second) = (try first.value(weight, factor: factor), try second.value(weight, factor: factor))
    return try withTensorErrors { first * second }
  }
}
