public import QuickstepTensor

/// What a policy may ask of an attention beside its output: a number per token.
public enum AttentionSignal: String, Sendable, Codable, CaseIterable {
  /// How much attention a token gets from all that attend: the sum of its column of the attention map, in the mean over heads.
  case received
  /// How evenly a token attends: the entropy of its row of the mean map.
  case entropy
  /// Σ over heads of 1 − ‖v‖, v being the token's value; needs no map.
  case values

  /// - Parameters:
  ///   - query: `[B, N, heads, size]`.
  ///   - key: `[B, M, heads, size]`.
  ///   - value: `[B, M, heads, size]`.
  ///   - mask: added to the scores or boolean (true keeps), broadcast to `[B, heads, N, M]`.
  ///   - scale: 1/√size when `nil`.
  /// - Returns: `[B, M]`; of ``entropy`` `[B, N]`. In float32.
  public func measured(query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, scale: Double? = nil) -> Tensor {
    switch self {
    case .received: Self.map(query, key, mask, scale).sum([1])
    case .entropy:
      {
        let map = Self.map(query, key, mask, scale)
        return (map * (map + 1e-7).log()).sum([-1]) * -1
      }()
    case .values: (1 - value.to(.float32).norm(p: 2, dim: [-1])).sum([-1])
    }
  }

  /// The mean of all heads' maps, `[B, N, M]`: one head after the other, so that only one more of this size is held.
  private static func map(_ query: Tensor, _ key: Tensor, _ mask: Tensor?, _ scale: Double?) -> Tensor {
    let heads = query.size(2)
    let factor = scale ?? 1 / Double(query.size(3)).squareRoot()
    var sum = Tensor.undefined
    for head in 0..<heads {
      var scores = query.select(2, index: head).to(.float32).matmul(key.select(2, index: head).to(.float32).transposed) * factor
      if let mask {
        let own = mask.rank == 4 ? mask.select(1, index: mask.size(1) == 1 ? 0 : head) : mask
        scores = own.dtype == .bool ? scores.maskedFill(own.logicalNot(), value: .real(-.infinity)) : scores + own
      }
      let map = scores.softmax(-1)
      sum = head == 0 ? map : sum + map
    }
    return sum * (1 / Double(max(1, heads)))
  }
}

/// Hands over what a policy wants to know of an attention. Made by ``Evaluation/attention(_:_:_:)``.
public struct AttentionProbe {
  private let signal: AttentionSignal
  private let take: ([Tensor]) -> Void

  init(_ signal: AttentionSignal, take: @escaping ([Tensor]) -> Void) { (self.signal, self.take) = (signal, take) }

  /// Measures and hands over; see ``AttentionSignal/measured(query:key:value:mask:scale:)``.
  /// - Parameter streams: `[B, tokens]` as one tensor for each that flows through the site, in their order.
  public func observe(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, scale: Double? = nil, streams: (Tensor) -> [Tensor] = { [$0] }
  ) {
    take(streams(signal.measured(query: query, key: key, value: value, mask: mask, scale: scale)))
  }
}

/// What the tokens of a network's blocks allow.
public struct TokenTraits: Sendable, Hashable {
  /// Kinds of modules that treat every token by itself, so that they can be computed for some of them.
  public var separable: Set<Site.Kind>
  /// What its attentions tell.
  public var signals: Set<AttentionSignal>
  /// Side of the part of a sample that becomes a token.
  public var patch: Int

  /// What the tokens of a network's blocks allow.
  public init(separable: Set<Site.Kind>, signals: Set<AttentionSignal>, patch: Int) {
    (self.separable, self.signals, self.patch) = (separable, signals, patch)
  }
}

extension Evaluation {
  /// A site that is an attention: like any other, and able to tell the policy how its tokens attend. Without a policy that asks, this costs nothing.
  @inline(__always)
  public func attention<Value: SiteValue>(
    _ site: @autoclosure () -> Site, _ input: Value, _ compute: (Value, AttentionProbe?) throws -> Value
  ) throws -> Value {
    guard let policy else { return try compute(input, nil) }
    let site = site()
    return try self.site(site, input) { value in
      let probe = policy.wantedSignal(site, context: context).map { signal in
        AttentionProbe(signal) { policy.take($0, of: site, context: context) }
      }
      return try compute(value, probe)
    }
  }
}
