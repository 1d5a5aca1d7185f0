public import QuickstepTensor

/// What a linear layer computes with: plain weights, weights with a low-rank branch, later quantized or sparse ones.
/// `[…, in] → […, out]`.
public protocol LinearOperator: Sendable {
  /// What the form says about itself.
  static var declaration: MethodDeclaration { get }
  /// Whether a scope holds this form. Forms are asked in the order of ``LinearForms/all``.
  static func matches(_ weights: Weights) -> Bool
  /// Takes its parameters from the scope. What does not fit `shape` is left to the audit.
  init(_ weights: Weights, shape: LinearShape)
  /// `[…, in] → […, out]`; for gated layers see ``LinearShape/isGated``.
  func callAsFunction(_ input: Tensor) -> Tensor
  /// activation(self(input)) + residual, possibly in one pass.
  func callAsFunction(_ input: Tensor, activation: Activation, residual: Tensor?) -> Tensor
}

extension LinearOperator {
  /// One after the other.
  public func callAsFunction(_ input: Tensor, activation: Activation, residual: Tensor?) -> Tensor {
    let result = activation(self(input))
    return residual.map { result + $0 } ?? result
  }

  /// Name for reports, such as `plain` or `low-rank`.
  public static var name: String { declaration.name }
}

/// What a layer demands of its operator.
public struct LinearShape: Sendable {
  /// Channels in.
  public var input: Int
  /// Rows of the weight: channels out, or twice as many for gated layers.
  public var output: Int
  /// Whether the result is a·GELU(g), `[…, output / 2]`, with a from the first half of the rows and g from the second (GEGLU, Shazeer 2020,
  /// arXiv 2002.05202).
  public var isGated = false
  /// Whether a bias `[output]` is added.
  public var hasBias: Bool
  /// How a fresh weight is filled. A fresh bias is 0.
  public var initial: Initializer
}

extension LinearShape {
  /// The gate of gated layers applied to the sums of both halves; other layers' sums as they are.
  func gated(_ sums: Tensor) -> Tensor {
    guard isGated else { return sums }
    let parts = sums.chunk(2, dim: -1)
    return parts[0] * parts[1].gelu()
  }
}

/// y = x·Wᵀ + b.
public struct PlainLinear: LinearOperator {
  /// `plain`: bit-exact, it is the baseline.
  public static let declaration = MethodDeclaration(
    name: "plain", family: .operator, summary: "y = x·Wᵀ + b with the stored weight.", points: [.operator], reads: ["input"],
    changes: ["layer output"], exactness: .bitExact, reference: "the baseline")
  /// W, `[out, in]`; `nil` when the layer holds it in the kernels' order only.
  public let weight: Tensor?
  /// b, `[out]`, or `nil`.
  public let bias: Tensor?
  private let packed: PackedMatrix?
  private let shape: LinearShape

  /// True: every scope is expected to hold a plain weight.
  public static func matches(_ weights: Weights) -> Bool { true }

  /// Takes `weight` and, where the shape asks for it, `bias` from the scope.
  public init(_ weights: Weights, shape: LinearShape) {
    let sizes = [shape.output, shape.input]
    packed = weights.prepared("weight", sizes) {
      PackedMatrix($0, isGated: shape.isGated, preparation: $1)
    } bytes: {
      $0.byteCount
    }
    weight = packed == nil ? weights.parameter("weight", sizes, initial: shape.initial) : nil
    bias = shape.hasBias ? weights.parameter("bias", [shape.output], initial: .zeros) : nil
    self.shape = shape
  }

  /// `[…, in] → […, out]`.
  public func callAsFunction(_ input: Tensor) -> Tensor { self(input, activation: .none, residual: nil) }

  /// activation(x·Wᵀ + b) + residual.
  public func callAsFunction(_ input: Tensor, activation: Activation, residual: Tensor?) -> Tensor {
    if let packed { return packed(input, bias: bias, activation: activation, residual: residual) }
    guard let weight else { return .undefined }
    let result = activation(shape.gated(input.linear(weight, bias: bias)))
    return residual.map { result + $0 } ?? result
  }
}

/// y = x·Wᵀ + b + (α/r)·(x·Aᵀ)·Bᵀ: a plain layer with a LoRA branch kept apart (Hu et al. 2021, arXiv 2106.09685).
///
/// Keys in the scope, as PEFT writes them: `lora_A.weight` `[r, in]`, `lora_B.weight` `[out, r]` and, optionally, the scalar `alpha` (r when absent).
public struct LowRankLinear: LinearOperator {
  /// `low-rank`: chosen by what the checkpoint holds, hence without parameters.
  public static let declaration = MethodDeclaration(
    name: "low-rank", family: .operator, summary: "A plain weight with a LoRA branch kept apart.", points: [.operator], reads: ["input"],
    changes: ["layer output"], needs: ["lora_A.weight and lora_B.weight beside the weight"], exactness: .approximate,
    reference: "Hu et al. 2021, arXiv 2106.09685, eq. 3")
  let base: PlainLinear
  let shape: LinearShape
  let down: Tensor
  let up: Tensor
  let scale: Double

  /// Whether the scope holds one of the branch's two factors; a missing other one is reported by the audit.
  public static func matches(_ weights: Weights) -> Bool { weights.has("lora_A.weight") || weights.has("lora_B.weight") }

  /// Takes the plain layer and the branch from the scope. The rank r is that of the stored `lora_A.weight`.
  public init(_ weights: Weights, shape: LinearShape) {
    self.shape = shape
    // The gate belongs after the sum with the branch.
    var ungated = shape
    ungated.isGated = false
    base = PlainLinear(weights, shape: ungated)
    let rank = weights.info("lora_A.weight")?.shape.first ?? 1
    down = weights.parameter("lora_A.weight", [rank, shape.input], initial: .fanIn(shape.input))
    up = weights.parameter("lora_B.weight", [shape.output, rank], initial: .zeros)
    let alpha = weights.has("alpha") ? (try? weights.parameter("alpha", [], initial: .constant(Double(rank))).item()) : nil
    scale = (alpha ?? Double(rank)) / Double(max(1, rank))
  }

  /// `[…, in] → […, out]`.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    shape.gated(base(input) + input.linear(down).linear(up) * scale)
  }
}
