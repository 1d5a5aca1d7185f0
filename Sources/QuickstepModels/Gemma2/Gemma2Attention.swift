import QuickstepNN
import QuickstepTensor

/// Causal attention in which several heads of queries share one of keys and values (Ainslie et al. 2023, arXiv 2305.13245), with scores that
/// are held within ±c by c·tanh(s/c). `[B, L, D] → [B, L, D]`.
struct Gemma2Attention: Sendable {
  /// Queries whose scores are held at once: those of a long text would not fit.
  static let rows = 256

  let keyHeads: Int, heads: Int
  let query: Linear, key: Linear, value: Linear, output: Linear
  let scale: Double
  let cap: Double?
  /// Tokens that are seen, itself included; `nil`: all earlier ones.
  let window: Int?

  init(_ configuration: Gemma2Configuration, _ span: Gemma2Configuration.Span, weights: Weights) {
    let (size, headSize, bias) = (configuration.hiddenSize, configuration.headSize, configuration.hasAttentionBias)
    (keyHeads, heads) = (configuration.keyHeads, configuration.heads)
    query = Linear(weights["q_proj"], size, heads * headSize, bias: bias)
    key = Linear(weights["k_proj"], size, keyHeads * headSize, bias: bias)
    value = Linear(weights["v_proj"], size, keyHeads * headSize, bias: bias)
    output = Linear(weights["o_proj"], heads * headSize, size, bias: bias)
    scale = 1 / configuration.queryScale.squareRoot()
    cap = configuration.scoreCap
    window = span == .sliding ? configuration.window : nil
  }

  /// - Parameter mask: `[B, L]`, true or 1 where a token may be seen.
  func callAsFunction(_ input: Tensor, rotary: HalfRotation, mask: Tensor?) -> Tensor {
    func turned(_ tensor: Tensor, _ heads: Int) -> Tensor { rotary(HeadAttention.split(tensor, heads: heads)).transpose(1, dim1: 2) }
    let (q, k) = (turned(query(input), heads) * (scale / (cap ?? 1)), turned(key(input), keyHeads))
    let v = HeadAttention.split(value(input), heads: keyHeads).transpose(1, dim1: 2)
    let length = input.size(1)
    let parts = stride(from: 0, to: length, by: Self.rows).map { start -> Tensor in
      let queries = start..<min(start + Self.rows, length)
      // Keys that no query of these rows sees need no scores. With a mask there may be rows that see nothing at all, whose result is a mean
      // over all keys in the reference.
      let keys = mask != nil ? 0..<length : max(0, queries.lowerBound - (window ?? length) + 1)..<queries.upperBound
      func part(_ tensor: Tensor, _ range: Range<Int>) -> Tensor { tensor.narrow(2, start: range.lowerBound, length: range.count) }
      return attend(part(q, queries), part(k, keys), part(v, keys), hidden: hidden(queries, keys, mask: mask, device: input.device))
    }
    return output(parts.count == 1 ? parts[0] : .cat(parts, dim: 1))
  }

  /// - Parameters:
  ///   - query: `[B, heads, n, size]`, scaled.
  ///   - key: `[B, keyHeads, m, size]`; `value` likewise.
  ///   - hidden: `[1 or B, 1, n, m]`, true where a key is not seen.
  /// - Returns: `[B, n, heads · size]`.
  private func attend(_ query: Tensor, _ key: Tensor, _ value: Tensor, hidden: Tensor) -> Tensor {
    let (batch, count, size) = (query.size(0), query.size(2), query.size(3))
    // Heads that share keys are rows of one product.
    let grouped = query.reshape([batch, keyHeads, -1, size])
    var scores = grouped.matmul(key.transposed).reshape([batch, heads, count, -1])
    if let cap { scores = scores.tanh() * cap }
    // The lowest number, and not −∞: a row that sees nothing is no division by zero.
    let lowest = scores.dtype == .float16 ? -65504 : -3.38e38
    scores = scores.maskedFill(hidden, value: .real(lowest))
    let shares = scores.softmax(-1, dtype: scores.dtype == .float64 ? .float64 : .float32).to(value.dtype)
    let mixed = shares.reshape([batch, keyHeads, -1, key.size(2)]).matmul(value)
    return mixed.reshape([batch, heads, count, size]).transpose(1, dim1: 2).reshape([batch, count, heads * size])
  }

  private func hidden(_ queries: Range<Int>, _ keys: Range<Int>, mask: Tensor?, device: Device) -> Tensor {
    func places(_ range: Range<Int>) -> Tensor {
      .arange(Scalar(range.lowerBound), end: Scalar(range.upperBound), dtype: .int64, device: device)
    }
    let distance = places(keys).unsqueeze(0) - places(queries).unsqueeze(1)
    var seen = distance.lessOrEqual(0)
    if let window { seen = seen.logicalAnd(distance.greater(Scalar(-window))) }
    seen = seen.unsqueeze(0).unsqueeze(0)
    if let mask {
      seen = seen.logicalAnd(mask.to(.bool).narrow(1, start: keys.lowerBound, length: keys.count).unsqueeze(1).unsqueeze(1))
    }
    return seen.logicalNot()
  }
}
