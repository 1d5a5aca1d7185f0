public import QuickstepNN
public import QuickstepTensor
import Foundation

/// Gemma 2 (Gemma Team 2024, arXiv 2408.00118) as a text encoder, as Sana uses it: the normalised last layer, and no words predicted from it;
/// transformers' `Gemma2Model`, with its names of parameters, with or without the leading `model.` of `Gemma2ForCausalLM`.
///
/// A token sees itself and earlier ones, in every other block only the last few. Padding behind a prompt therefore changes nothing about the
/// prompt's own tokens.
public struct Gemma2Encoder: Component {
  /// The arguments of transformers' class.
  public static let inputs = ["input_ids", "attention_mask?"]
  /// As given to the initialiser.
  public let configuration: Gemma2Configuration
  let tokens: Embedding
  let blocks: [Gemma2Block]
  let norm: Gemma2Norm

  /// Parameters are taken from `weights`, below `model` where the checkpoint has it.
  public init(_ configuration: Gemma2Configuration, weights: Weights) {
    self.configuration = configuration
    let scope = weights.has("model.embed_tokens.weight") ? weights["model"] : weights
    tokens = Embedding(scope["embed_tokens"], count: configuration.vocabularySize, size: configuration.hiddenSize)
    blocks = configuration.spans.enumerated().map { Gemma2Block(configuration, $1, weights: scope["layers", $0]) }
    norm = Gemma2Norm(scope["norm"], configuration.hiddenSize, epsilon: configuration.epsilon)
  }

  /// - Parameters:
  ///   - ids: `[B, L]` int64.
  ///   - mask: `[B, L]`, true or 1 where a token counts; `nil` when all do, or when those that do not are behind those that do and their own
  ///     rows of the result are not wanted.
  /// - Returns: `[B, L, D]`.
  public func callAsFunction(_ ids: Tensor, mask: Tensor? = nil) -> Tensor {
    var hidden = tokens(ids) * Double(configuration.hiddenSize).squareRoot()
    let rotary = HalfRotation(
      length: ids.size(1), size: configuration.headSize, base: configuration.rotaryBase, like: hidden)
    for block in blocks { hidden = block(hidden, rotary: rotary, mask: mask) }
    return norm(hidden)
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

/// Root-mean-square normalisation whose scale is 1 + w, computed in float32 at least. `[…, size] → […, size]`.
struct Gemma2Norm: Sendable {
  let size: Int
  let weight: Tensor
  let epsilon: Double

  init(_ weights: Weights, _ size: Int, epsilon: Double) {
    self.size = size
    self.epsilon = epsilon
    weight = weights.parameter("weight", [size], initial: .zeros)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let dtype: DType = input.dtype == .float64 ? .float64 : .float32
    return input.to(dtype).rmsNorm([size], weight: weight.to(dtype) + 1, eps: epsilon).to(input.dtype)
  }
}

/// Rotary positions (Su et al. 2021, arXiv 2104.09864) that turn channel c together with channel c + D/2.
struct HalfRotation: Sendable {
  /// `[L, 1, D]`.
  let cosines: Tensor, sines: Tensor

  /// - Parameter like: of the type and on the device that queries and keys have.
  init(length: Int, size: Int, base: Double, like: Tensor) {
    // In float32, as in the reference: what positions are multiplied by has been rounded.
    let frequencies = stride(from: 0, to: size, by: 2).map { Float(1 / pow(base, Double($0) / Double(size))) }
    let angles = Tensor.arange(0, end: Scalar(length), dtype: .float32).unsqueeze(1) * Tensor(frequencies, shape: [1, frequencies.count])
    let whole = Tensor.cat([angles, angles], dim: 1).unsqueeze(1)
    cosines = whole.cos().to(like.dtype, like.device)
    sines = whole.sin().to(like.dtype, like.device)
  }

  /// `[B, L, heads, D] → [B, L, heads, D]`.
  func callAsFunction(_ input: Tensor) -> Tensor {
    let halves = input.chunk(2, dim: -1)
    return input * cosines + Tensor.cat([halves[1].negated(), halves[0]], dim: -1) * sines
  }
}

/// Attention and feed-forward layers, normalised before and behind. `[B, L, D] → [B, L, D]`.
struct Gemma2Block: Sendable {
  let attentionNorm: Gemma2Norm, attentionOutputNorm: Gemma2Norm
  let attention: Gemma2Attention
  let feedForwardNorm: Gemma2Norm, feedForwardOutputNorm: Gemma2Norm
  let gate: Linear, first: Linear, second: Linear
  let activation: Activation

  init(_ configuration: Gemma2Configuration, _ span: Gemma2Configuration.Span, weights: Weights) {
    let (size, hidden) = (configuration.hiddenSize, configuration.feedForwardSize)
    func norm(_ name: String) -> Gemma2Norm { Gemma2Norm(weights[name], size, epsilon: configuration.epsilon) }
    (attentionNorm, attentionOutputNorm) = (norm("input_layernorm"), norm("post_attention_layernorm"))
    (feedForwardNorm, feedForwardOutputNorm) = (norm("pre_feedforward_layernorm"), norm("post_feedforward_layernorm"))
    attention = Gemma2Attention(configuration, span, weights: weights["self_attn"])
    gate = Linear(weights["mlp", "gate_proj"], size, hidden, bias: false)
    first = Linear(weights["mlp", "up_proj"], size, hidden, bias: false)
    second = Linear(weights["mlp", "down_proj"], hidden, size, bias: false)
    activation = configuration.usesTanhGELU ? .geluTanh : .gelu
  }

  func callAsFunction(_ input: Tensor, rotary: HalfRotation, mask: Tensor?) -> Tensor {
    let hidden = input + attentionOutputNorm(attention(attentionNorm(input), rotary: rotary, mask: mask))
    let inner = feedForwardNorm(hidden)
    return hidden + feedForwardOutputNorm(second(gate(inner, activation: activation) * first(inner)))
  }
}
