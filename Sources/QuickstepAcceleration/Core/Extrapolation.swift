import QuickstepNN

/// How a value is estimated from those that were computed before: Σ weight·value, the newest value first.
///
/// Holding, Taylor and Newton forecasts and blends of two values are all of this form, so that only computed values are kept, nothing is worked
/// out when one is computed, and a forecast is one pass over memory.
public protocol Extrapolation: Sendable {
  /// Computed values it reads for a forecast of this order.
  func depth(order: Int) -> Int
  /// Weights of as many of `nodes` as count.
  /// - Parameters:
  ///   - nodes: where values were computed, newest first; never empty.
  ///   - target: where the estimate is for.
  ///   - order: of the forecast; lower where there are too few nodes.
  func weights(nodes: [Double], target: Double, order: Int) -> [Double]
}

/// The newest value as it is.
public struct Hold: Extrapolation {
  /// The newest value as it is.
  public init() {}
  public func depth(order: Int) -> Int { 1 }
  public func weights(nodes: [Double], target: Double, order: Int) -> [Double] { [1] }
}

/// Taylor's polynomial with finite differences in place of derivatives, Σ F⁽ⁱ⁾·jⁱ/i! (TaylorSeer, Liu et al. 2025, arXiv 2503.06923, eq. 5–7).
///
/// F⁽ⁱ⁺¹⁾ = (F⁽ⁱ⁾ − old F⁽ⁱ⁾)/Δ, Δ being the distance of the two newest nodes, as the authors' program and diffusers have it: on uneven nodes older
/// differences are those that were formed when their node was the newest.
public struct TaylorExtrapolation: Extrapolation {
  /// Taylor's polynomial with finite differences.
  public init() {}
  public func depth(order: Int) -> Int { order + 1 }

  public func weights(nodes: [Double], target: Double, order: Int) -> [Double] {
    let count = min(order + 1, nodes.count)
    let used = Array(nodes.prefix(count))
    // factors[i]: the i-th difference at a node as weights of the values; from the oldest node to the newest.
    var factors: [[Double]] = []
    for position in (0..<count).reversed() {
      var value = [Double](repeating: 0, count: count)
      value[position] = 1
      var next = [value]
      for (index, old) in factors.enumerated() where position + 1 < count {
        let gap = used[position] - used[position + 1]
        next.append(zip(next[index], old).map { ($0 - $1) / gap })
      }
      factors = next
    }
    let distance = target - used[0]
    var (weights, power) = ([Double](repeating: 0, count: count), 1.0)
    for (index, factor) in factors.enumerated() {
      if index > 0 { power *= distance / Double(index) }
      for position in 0..<count { weights[position] += power * factor[position] }
    }
    return weights
  }
}

/// The polynomial through the newest values, whatever their distances: Newton's interpolation formula, exact for polynomials of the order.
public struct NewtonExtrapolation: Extrapolation {
  /// The polynomial through the newest values.
  public init() {}
  public func depth(order: Int) -> Int { order + 1 }

  public func weights(nodes: [Double], target: Double, order: Int) -> [Double] {
    let used = nodes.prefix(order + 1)
    return used.indices.map { index in
      used.indices.reduce(1.0) { $1 == index ? $0 : $0 * (target - used[$1]) / (used[index] - used[$1]) }
    }
  }
}

/// What forecasts count as distance.
public enum Abscissa: String, Sendable, Codable, CaseIterable {
  /// The index of the evaluation.
  case evaluation
  /// Half the log signal-to-noise ratio λ.
  case lambda
  /// The timestep in the model's own units.
  case timestep

  /// Where an evaluation stands. λ is bounded, since it has no value at pure noise.
  func callAsFunction(_ context: StepContext) -> Double {
    switch self {
    case .evaluation: Double(context.evaluation)
    case .lambda: max(-10, min(10, context.level.lambda))
    case .timestep: context.level.timestep
    }
  }
}
