public import QuickstepNN
public import QuickstepTensor
import Foundation

/// The encoder of T5 (Raffel et al. 2020, arXiv 1910.10683), version 1.0 and 1.1, as PixArt, SD3 and FLUX use it; transformers'
/// `T5EncoderModel`, with its names of parameters. The token table may be stored as `shared` or as `encoder.embed_tokens`; where both are
/// there, which are one in the reference, the first counts.
public struct T5Encoder: Component {
  /// The arguments of transformers' class.
  public static let inputs = ["input_ids", "attention_mask?"]
  /// As given to the initialiser.
  public let configuration: T5Configuration
  let tokens: Embedding
  let distances: Embedding
  let blocks: [T5Block]
  let norm: RMSNorm

  /// Parameters are taken from `weights` under transformers' names.
  public init(_ configuration: T5Configuration, weights: Weights) {
    self.configuration = configuration
    let size = configuration.hiddenSize
    let isShared = weights.has("shared.weight") || !weights.has("encoder.embed_tokens.weight")
    tokens = Embedding(isShared ? weights["shared"] : weights["encoder", "embed_tokens"], count: configuration.vocabularySize, size: size)
    let scope = weights["encoder", "block"]
    blocks = (0..<configuration.layers).map { T5Block(configuration, weights: scope[$0]) }
    // The first block's table serves all of them.
    distances = Embedding(
      scope[0, "layer", 0, "SelfAttention", "relative_attention_bias"], count: configuration.buckets, size: configuration.heads)
    norm = RMSNorm(weights["encoder", "final_layer_norm"], size, epsilon: configuration.epsilon)
  }

  /// - Parameters:
  ///   - ids: `[B, L]` int64.
  ///   - mask: `[B, L]`, true or 1 where a token counts; `nil` when all do.
  /// - Returns: `[B, L, D]`.
  public func callAsFunction(_ ids: Tensor, mask: Tensor? = nil) -> Tensor {
    var hidden = tokens(ids)
    var bias = self.bias(length: ids.size(1), device: ids.device).to(hidden.dtype)
    if let mask {
      // The lowest number, and not −∞: a prompt of which nothing counts is no division by zero.
      let lowest = hidden.dtype == .float16 ? -65504 : -3.38e38
      bias = bias.expand([ids.size(0), -1, -1, -1]).maskedFill(
        mask.to(.bool).logicalNot().unsqueeze(1).unsqueeze(1), value: .real(lowest))
    }
    for block in blocks { hidden = block(hidden, bias: bias) }
    return norm(hidden)
  }

  /// What is added to the scores for the distance between two tokens, `[1, heads, L, L]`.
  private func bias(length: Int, device: Device) -> Tensor {
    distances(buckets(length: length).to(device)).permute([2, 0, 1]).unsqueeze(0).contiguous()
  }

  /// The number of the learned distance from every token to every other, `[L, L]` int64: exact up to a quarter of the buckets each way,
  /// spaced logarithmically beyond.
  private func buckets(length: Int) -> Tensor {
    let places = Tensor.arange(0, end: Scalar(length), dtype: .int64)
    let distance = places.unsqueeze(0) - places.unsqueeze(1)
    let half = configuration.buckets / 2
    let exact = half / 2
    let span = log(Double(configuration.longestDistance) / Double(exact))
    // In float32 and in this order, as in the reference: at powers of two the last bit decides. The logarithm of 0 is not used.
    let size = distance.abs()
    let far = ((size.to(.float32) / Double(exact)).clamp(min: 1e-6).log() / span * Double(half - exact)).to(.int64).adding(Scalar(exact))
    let number = size.less(Scalar(exact)).where(size, other: far.clamp(max: Scalar(half - 1)))
    return number + distance.greater(0).to(.int64).multiplied(Scalar(half))
  }

  /// - Returns: `last_hidden_state` `[B, L, D]`.
  /// - Throws: ``ComponentError`` for missing and unknown names, for `input_ids` that are not `[B, L]` and an `attention_mask` of another
  ///   shape; `TensorError` when a computation fails, as for ids outside the vocabulary.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let ids = try required("input_ids", of: inputs)
    guard ids.rank == 2, ids.size(1) > 0 else { throw ComponentError("'input_ids' must be [B, L], it is \(ids.shape)") }
    let mask = inputs["attention_mask"]
    if let mask, mask.shape != ids.shape {
      throw ComponentError("'attention_mask' is \(mask.shape), 'input_ids' \(ids.shape); they must have one shape")
    }
    return try withTensorErrors { ["last_hidden_state": self(ids.to(.int64), mask: mask)] }
  }
}

/// Self-attention and feed-forward layers, normalised before. `[B, L, D] → [B, L, D]`.
struct T5Block: Sendable {
  let heads: Int
  let attend: ScaledAttention
  let norm1: RMSNorm
  let query: Linear, key: Linear, value: Linear, output: Linear
  let norm2: RMSNorm
  let first: Linear, gate: Linear?, second: Linear

  init(_ configuration: T5Configuration, weights: Weights) {
    let (size, inner, hidden) = (configuration.hiddenSize, configuration.heads * configuration.headSize, configuration.feedForwardSize)
    let (attention, dense) = (weights["layer", 0, "SelfAttention"], weights["layer", 1, "DenseReluDense"])
    heads = configuration.heads
    attend = ScaledAttention(weights)
    norm1 = RMSNorm(weights["layer", 0, "layer_norm"], size, epsilon: configuration.epsilon)
    query = Linear(attention["q"], size, inner, bias: false)
    key = Linear(attention["k"], size, inner, bias: false)
    value = Linear(attention["v"], size, inner, bias: false)
    output = Linear(attention["o"], inner, size, bias: false)
    norm2 = RMSNorm(weights["layer", 1, "layer_norm"], size, epsilon: configuration.epsilon)
    first = Linear(dense[configuration.isGated ? "wi_0" : "wi"], size, hidden, bias: false)
    gate = configuration.isGated ? Linear(dense["wi_1"], size, hidden, bias: false) : nil
    second = Linear(dense["wo"], hidden, size, bias: false)
  }

  /// - Parameter bias: `[1 or B, heads, L, L]`, added to the scores, which are not scaled otherwise.
  func callAsFunction(_ input: Tensor, bias: Tensor) -> Tensor {
    let normed = norm1(input)
    func split(_ tensor: Tensor) -> Tensor { HeadAttention.split(tensor, heads: heads) }
    let attended = attend(split(query(normed)), split(key(normed)), split(value(normed)), mask: bias, scale: 1)
    let hidden = output(attended, activation: .none, residual: input)
    let inner = norm2(hidden)
    let fed = gate.map { first(inner, activation: .geluTanh) * $0(inner) } ?? first(inner).relu()
    return second(fed, activation: .none, residual: hidden)
  }
}
