public import QuickstepTensor

/// What a linear layer computes with: plain weights, weights with a low-rank branch, later quantized or sparse ones.
/// `[…, in] → […, out]`.
public protocol LinearOperator: Sendable {
  /// Name for reports, such as `plain` or `low-rank`.
  static var name: String { get }
  /// Whether a scope holds this form. Forms are asked in the order of ``LinearForms/all``.
  static func matches(_ weights: Weights) -> Bool
  init(_ weights: Weights, shape: LinearShape)
  func callAsFunction(_ input: Tensor) -> Tensor
}

/// What a layer demands of its operator.
public struct LinearShape: Sendable {
  public var input: Int
  public var output: Int
  public var hasBias: Bool
  public var initial: Initializer
}

/// y = x·Wᵀ + b.
public struct PlainLinear: LinearOperator {
  public static let name = "plain"
  public let weight: Tensor
  public let bias: Tensor?

  public static func matches(_ weights: Weights) -> Bool { true }

  public init(_ weights: Weights, shape: LinearShape) {
    weight = weights.parameter("weight", [shape.output, shape.input], initial: shape.initial)
    bias = shape.hasBias ? weights.parameter("bias", [shape.output], initial: .zeros) : nil
  }

  public func callAsFunction(_ input: Tensor) -> Tensor { input.linear(weight, bias: bias) }
}

/// y = x·Wᵀ + b + (α/r)·(x·Aᵀ)·Bᵀ: a plain layer with a LoRA branch kept apart (Hu et al. 2021, arXiv 2106.09685).
///
/// Keys in the scope, as PEFT writes them: `lora_A.weight` `[r, in]`, `lora_B.weight` `[out, r]` and, optionally, the scalar `alpha` (r when absent).
public struct LowRankLinear: LinearOperator {
  public static let name = "low-rank"
  let base: PlainLinear
  let down: Tensor
  let up: Tensor
  let scale: Double

  public static func matches(_ weights: Weights) -> Bool { weights.has("lora_A.weight") || weights.has("lora_B.weight") }

  public init(_ weights: Weights, shape: LinearShape) {
    base = PlainLinear(weights, shape: shape)
    let rank = weights.info("lora_A.weight")?.shape.first ?? 1
    down = weights.parameter("lora_A.weight", [rank, shape.input], initial: .fanIn(shape.input))
    up = weights.parameter("lora_B.weight", [shape.output, rank], initial: .zeros)
    let alpha = weights.has("alpha") ? (try? weights.parameter("alpha", [], initial: .constant(Double(rank))).item()) : nil
    scale = (alpha ?? Double(rank)) / Double(max(1, rank))
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    base(input) + input.linear(down).linear(up) * scale
  }
}
