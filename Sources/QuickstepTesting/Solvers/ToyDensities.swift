import Foundation
public import QuickstepNN

/// Data whose posterior mean and probability-flow ODE are known in closed form.
public protocol ToyDensity: Sendable {
  /// E[x0 | x] at a level, elementwise over the dimensions.
  func denoised(_ state: [Double], at level: NoiseLevel) -> [Double]
  /// Where the probability-flow ODE takes a state from one level to another, exactly.
  func transported(_ state: [Double], from: NoiseLevel, to: NoiseLevel) -> [Double]
}

/// Independent normals, one per dimension.
public struct ToyGaussian: ToyDensity {
  let means: [Double]
  let deviations: [Double]

  /// N(mean_i, deviation_i²) in dimension i.
  public init(means: [Double] = [0.7, -1.2], deviations: [Double] = [0.3, 1.6]) {
    self.means = means
    self.deviations = deviations
  }

  /// The posterior mean of a normal: (α·d²·x + σ²·μ)/(α²·d² + σ²).
  public func denoised(_ state: [Double], at level: NoiseLevel) -> [Double] {
    let (a, s2) = (level.alpha, level.sigma * level.sigma)
    return state.indices.map { i in
      let data = deviations[i] * deviations[i]
      return (a * data * state[i] + s2 * means[i]) / (a * a * data + s2)
    }
  }

  /// Distance from the mean α·μ grows as the marginal deviation √(α²·d² + σ²).
  public func transported(_ state: [Double], from: NoiseLevel, to: NoiseLevel) -> [Double] {
    state.indices.map { i in
      to.alpha * means[i] + deviation(i, to) / deviation(i, from) * (state[i] - from.alpha * means[i])
    }
  }

  private func deviation(_ i: Int, _ level: NoiseLevel) -> Double {
    (level.alpha * level.alpha * deviations[i] * deviations[i] + level.sigma * level.sigma).squareRoot()
  }
}

/// A one-dimensional mixture of normals: a curved probability-flow ODE. In one dimension the flow keeps quantiles, which solves it.
public struct ToyMixture: ToyDensity {
  let parts: [(weight: Double, mean: Double, deviation: Double)]

  /// Weights add up to 1.
  public init(_ parts: [(weight: Double, mean: Double, deviation: Double)] = [(0.35, -1, 0.4), (0.65, 0.8, 0.3)]) { self.parts = parts }

  /// The parts' posterior means, weighed by how probable each is given x.
  public func denoised(_ state: [Double], at level: NoiseLevel) -> [Double] {
    let (a, s2) = (level.alpha, level.sigma * level.sigma)
    return state.map { x in
      var total = 0.0
      var sum = 0.0
      for part in parts {
        let data = part.deviation * part.deviation
        let variance = a * a * data + s2
        let distance = x - a * part.mean
        let weight = part.weight * exp(-distance * distance / (2 * variance)) / variance.squareRoot()
        total += weight
        sum += weight * (a * data * x + s2 * part.mean) / variance
      }
      return sum / total
    }
  }

  /// Found by bisection of the quantile within ±50, to the last bit.
  public func transported(_ state: [Double], from: NoiseLevel, to: NoiseLevel) -> [Double] {
    state.map { x in
      let target = quantile(x, from)
      var (low, high) = (-50.0, 50.0)
      for _ in 0..<200 where low < high {
        let middle = 0.5 * (low + high)
        if middle == low || middle == high { break }
        if quantile(middle, to) < target { low = middle } else { high = middle }
      }
      return 0.5 * (low + high)
    }
  }

  private func quantile(_ x: Double, _ level: NoiseLevel) -> Double {
    parts.reduce(0) { sum, part in
      let variance = level.alpha * level.alpha * part.deviation * part.deviation + level.sigma * level.sigma
      return sum + part.weight * 0.5 * erfc((level.alpha * part.mean - x) / (2 * variance).squareRoot())
    }
  }
}
