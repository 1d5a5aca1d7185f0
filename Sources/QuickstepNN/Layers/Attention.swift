public import QuickstepTensor

/// Attention on `[B, N, C]`, from a sequence to itself or to another one.
///
/// Parameter names follow diffusers' `Attention`: `to_q`, `to_k`, `to_v`, `to_out.0`, with optional `norm_q`, `norm_k` (RMS, per head). Codecs saved
/// before 2023 call the first four `query`, `key`, `value` and `proj_attn`; those are read as well.
public struct Attention: Sendable {
  let heads: Int
  let headSize: Int
  let query: Linear
  let key: Linear
  let value: Linear
  let output: Linear
  let queryNorm: RMSNorm?
  let keyNorm: RMSNorm?
  let attend: ScaledAttention

  /// - Parameters:
  ///   - size: channels of the queries and of the result.
  ///   - contextSize: channels of the sequence attended to; `nil` for self-attention.
  ///   - normalisesHeads: RMS-normalises queries and keys per head, which keeps large learning rates stable (Dehghani et al. 2023).
  public init(
    _ weights: Weights, size: Int, contextSize: Int? = nil, heads: Int, bias: Bool = true, normalisesHeads: Bool = false,
    outputInitial: Initializer? = nil
  ) {
    self.heads = heads
    attend = ScaledAttention(weights)
    headSize = size / max(1, heads)
    let isOld = weights.has("query.weight")
    query = Linear(weights[isOld ? "query" : "to_q"], size, size, bias: bias)
    key = Linear(weights[isOld ? "key" : "to_k"], contextSize ?? size, size, bias: bias)
    value = Linear(weights[isOld ? "value" : "to_v"], contextSize ?? size, size, bias: bias)
    output = Linear(isOld ? weights["proj_attn"] : weights["to_out", 0], size, size, initial: outputInitial)
    queryNorm = normalisesHeads ? RMSNorm(weights["norm_q"], headSize) : nil
    keyNorm = normalisesHeads ? RMSNorm(weights["norm_k"], headSize) : nil
  }

  /// - Parameters:
  ///   - input: `[B, N, C]`.
  ///   - context: `[B, M, C']`, or `nil` for self-attention.
  ///   - mask: `[B, 1, 1, M]`, added to the scores (0 keeps, −∞ hides) or boolean (true keeps).
  ///   - probe: is told how the tokens attend.
  public func callAsFunction(_ input: Tensor, context: Tensor? = nil, mask: Tensor? = nil, probe: AttentionProbe? = nil) -> Tensor {
    let source = context ?? input
    var q = split(query(input))
    var k = split(key(source))
    if let queryNorm { q = queryNorm(q) }
    if let keyNorm { k = keyNorm(k) }
    let v = split(value(source))
    probe?.observe(query: q, key: k, value: v, mask: mask)
    return output(attend(q, k, v, mask: mask))
  }

  /// `[B, N, C] → [B, N, heads, C / heads]`.
  private func split(_ tensor: Tensor) -> Tensor { tensor.view([tensor.size(0), tensor.size(1), heads, headSize]) }
}

/// Two linear layers with GELU (tanh form) between, `[…, C] → […, C]`.
public struct FeedForward: Sendable {
  let first: Linear
  let second: Linear

  /// - Parameters:
  ///   - weights: the scope of `fc1` and `fc2`.
  ///   - size: channels C of input and output.
  ///   - hidden: channels between the two layers.
  public init(_ weights: Weights, size: Int, hidden: Int) {
    first = Linear(weights["fc1"], size, hidden)
    second = Linear(weights["fc2"], hidden, size)
  }

  /// `[…, C] → […, C]`.
  public func callAsFunction(_ input: Tensor) -> Tensor { second(first(input, activation: .geluTanh)) }
}
