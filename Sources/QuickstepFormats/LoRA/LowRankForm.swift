public import QuickstepTensor

/// LoRA: ΔW = up · down (Hu et al. 2021, arXiv 2106.09685), of convolutions too, with a kernel of its own where it was decomposed.
public struct LowRankForm: AdapterForm {
  public static let kind = "LoRA"
  public static let endings: [(ending: String, factor: String)] = [
    (".lora_linear_layer.down.weight", "down"), (".lora_linear_layer.up.weight", "up"), (".lora_A.default.weight", "down"),
    (".lora_B.default.weight", "up"), (".lora_A.weight", "down"), (".lora_B.weight", "up"), (".lora_down.weight", "down"),
    (".lora_up.weight", "up"), (".lora_mid.weight", "mid"), (".lora.down.weight", "down"), (".lora.up.weight", "up"),
    ("_lora.down.weight", "down"), ("_lora.up.weight", "up"),
  ]

  /// Names of the factors in the file. `mid` is the kernel of a decomposed convolution.
  public let down: String, up: String, mid: String?
  public let rank: Int?

  public init?(keys: [String: String], shape: (String) -> [Int]) {
    guard let down = keys["down"], let up = keys["up"], let rank = shape(down).first, rank > 0 else { return nil }
    (self.down, self.up, mid, self.rank) = (down, up, keys["mid"], rank)
  }

  public var keys: [String] { [down, up] + (mid.map { [$0] } ?? []) }

  /// Rows of ``factors(_:factor:)``'s first.
  public func rows(_ shape: (String) -> [Int]) -> Int { mid.flatMap { shape($0).first } ?? rank ?? 0 }

  public func fits(_ weight: [Int], shape: (String) -> [Int]) -> Bool {
    let (down, up, mid) = (shape(down), shape(up), mid.map(shape))
    guard weight.count == 2 || weight.count == 4, down.count >= 2, up.count >= 2 else { return false }
    let kernel = Array(weight.dropFirst(2))
    func isFlat(_ shape: [Int]) -> Bool { shape.dropFirst(2).allSatisfy { $0 == 1 } }
    let (middleIn, middleOut) = (mid?.dropFirst().first ?? down[0], mid?.first ?? down[0])
    let fits = up[0] == weight[0] && up[1] == middleOut && isFlat(up) && down[1] == weight[1] && down[0] == middleIn
    guard let mid else { return fits && (Array(down.dropFirst(2)) == kernel || (isFlat(down) && kernel.allSatisfy { $0 == 1 })) }
    return fits && weight.count == 4 && mid.count == 4 && Array(mid.dropFirst(2)) == kernel && isFlat(down)
  }

  /// The factors as `[r, in, kernel…]` and `[out, r]`, in float32, without any scale.
  public func factors(_ weight: [Int], factor: (String) throws -> Tensor) throws -> (down: Tensor, up: Tensor) {
    var down = try factor(down)
    let (up, mid) = (try factor(up), try mid.map(factor))
    return try withTensorErrors {
      if let mid {
        // Σ_n mid[m, n, y, x] · down[n, i]
        let (rows, inner) = (mid.size(0), mid.size(1))
        let mixed = mid.permute([0, 2, 3, 1]).reshape([-1, inner]).matmul(down.reshape([inner, -1]))
        down = mixed.reshape([rows, mid.size(2), mid.size(3), weight[1]]).permute([0, 3, 1, 2]).contiguous()
      }
      return (down.reshape([-1] + weight.dropFirst()), up.reshape([weight[0], -1]))
    }
  }

  public func change(_ weight: [Int], factor: (String) throws -> Tensor) throws -> Tensor {
    let (down, up) = try factors(weight, factor: factor)
    return try withTensorErrors { up.matmul(down.flatten(startDim: 1)).reshape(weight) }
  }
}
