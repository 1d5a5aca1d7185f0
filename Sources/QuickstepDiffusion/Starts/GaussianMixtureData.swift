import Foundation
public import QuickstepNN
public import QuickstepTensor

/// Several normal distributions of clean data, each with its share.
///
/// The denoiser is a weighted mean of the parts', known in closed form; its ODE is not, but needs no network, so that it is solved in many
/// small steps at almost no cost.
public struct GaussianMixtureData: Sendable {
  /// The parts.
  public let parts: [GaussianData]
  /// Their shares, adding up to 1.
  public let shares: [Double]

  /// Small steps of a jump. Twice as many change a jump by less than the parts themselves are wrong.
  static let jumpSteps = 96

  /// - Throws: ``SamplingError`` when there is no part, sizes differ or shares are not positive.
  public init(parts: [GaussianData], shares: [Double]) throws {
    guard let first = parts.first, parts.count == shares.count, parts.allSatisfy({ $0.size == first.size }) else {
      throw SamplingError(
        "a mixture of \(parts.count) parts of sizes \(parts.map(\.size)) with \(shares.count) shares; all sizes must be equal")
    }
    let total = shares.reduce(0, +)
    guard shares.allSatisfy({ $0 > 0 && $0.isFinite }), total.isFinite else { throw SamplingError("shares of a mixture must be above 0") }
    self.parts = parts
    self.shares = shares.map { $0 / total }
  }

  /// How probable each part is given a state, `[B][part]`.
  func responsibilities(_ state: Tensor, at level: NoiseLevel) throws -> [[Double]] {
    let densities = try parts.map { try $0.logDensity(state, at: level) }
    return (0..<state.size(0)).map { sample in
      let logs = parts.indices.map { log(shares[$0]) + densities[$0][sample] }
      let highest = logs.max() ?? 0
      let weights = logs.map { exp($0 - highest) }
      let sum = weights.reduce(0, +)
      return weights.map { $0 / sum }
    }
  }

  /// E[x0 | x].
  public func denoised(_ state: Tensor, at level: NoiseLevel) throws -> Tensor {
    guard parts.count > 1 else { return try parts[0].denoised(state, at: level) }
    let weights = try responsibilities(state, at: level)
    let each = try parts.map { try $0.denoised(state, at: level) }
    let shape = [state.size(0)] + Array(repeating: 1, count: state.rank - 1)
    return try withTensorErrors {
      var sum = state.zerosLike()
      for index in parts.indices {
        sum = sum + each[index] * Tensor(weights.map { Float($0[index]) }, shape: shape).to(state.dtype, state.device)
      }
      return sum
    }
  }

  /// Where the probability-flow ODE takes states: in closed form for one part, by Heun's method in the logarithm of the noise for several.
  public func transported(_ state: Tensor, from: NoiseLevel, to: NoiseLevel) throws -> Tensor {
    guard parts.count > 1 else { return try parts[0].transported(state, from: from, to: to) }
    // Down to a finite noise the parts cannot be told apart: any of them takes the state there.
    let levels = Self.between(from, to)
    var current = from.alpha == 0 ? try parts[0].transported(state, from: from, to: levels[0]) : state
    for (start, end) in zip(levels, levels.dropFirst()) {
      let first = try denoised(current, at: start)
      let step = FirstOrderStep(from: start, to: end)
      let predicted = try linearCombination([(current, step.state), (first, step.denoised)])
      let second = try denoised(predicted, at: end)
      current = try linearCombination([(current, step.state), (first, step.denoised / 2), (second, step.denoised / 2)])
    }
    return current
  }

  private static func between(_ from: NoiseLevel, _ to: NoiseLevel) -> [NoiseLevel] {
    let first = from.alpha == 0 ? NoiseLevel(timestep: from.timestep, alpha: 1e-3, sigma: from.sigma * (1 - 1e-3)) : from
    return evenly(from: 0, to: 1, count: jumpSteps + 1).map { share in
      if share == 0 { return first }
      if share == 1 { return to }
      let lambda = first.lambda + share * (to.lambda - first.lambda)
      // Any scaling of (α, σ) will do on the way; the norm is led from the one to the other.
      let norm = hypot(first.alpha, first.sigma) * pow(hypot(to.alpha, to.sigma) / hypot(first.alpha, first.sigma), share)
      let alpha = norm / (1 + exp(-2 * lambda)).squareRoot()
      return NoiseLevel(timestep: from.timestep, alpha: alpha, sigma: alpha * exp(-lambda))
    }
  }

  /// Parts by k-means (Lloyd 1982) from well-spread beginnings (Arthur & Vassilvitskii 2007).
  /// - Parameters:
  ///   - samples: `[N, …]`.
  ///   - count: parts, at most N/8.
  ///   - rank: directions per part at most.
  ///   - seed: of the beginnings.
  /// - Throws: ``SamplingError`` for too few samples.
  public init(samples: Tensor, count: Int, rank: Int, seed: UInt64) throws {
    let number = samples.size(0)
    guard count >= 1, number >= 8 * count else {
      throw SamplingError("\(count) parts from \(number) samples; at least 8 samples per part are needed")
    }
    let flat = try withTensorErrors { samples.to(.float32, .cpu).reshape([number, -1]) }
    let labels = count == 1 ? Array(repeating: 0, count: number) : try Self.clustered(flat, count, seed)
    var parts: [GaussianData] = []
    var shares: [Double] = []
    for label in 0..<count {
      let rows = labels.indices.filter { labels[$0] == label }
      guard rows.count >= 2 else { continue }
      let chosen = try withTensorErrors { flat.indexSelect(0, index: Tensor(rows.map(Int64.init))) }
      parts.append(try GaussianData(samples: chosen, rank: rank))
      shares.append(Double(rows.count))
    }
    try self.init(parts: parts, shares: shares)
  }

  private static func clustered(_ flat: Tensor, _ count: Int, _ seed: UInt64) throws -> [Int] {
    let generator = try Generator(seed: seed)
    let number = flat.size(0)
    func row(_ index: Int) -> Tensor { flat.narrow(0, start: index, length: 1) }
    let draws: [Double] = try withTensorErrors { Tensor.rand([count], generator: generator, dtype: .float64) }.scalars()
    var centres = [row(min(number - 1, Int(draws[0] * Double(number))))]
    while centres.count < count {
      let nearest: [Double] = try withTensorErrors { flat.cdist(.cat(centres)).amin([1]).square().to(.float64) }.scalars()
      var left = draws[centres.count] * nearest.reduce(0, +)
      let next =
        nearest.firstIndex {
          left -= $0; return left <= 0
        } ?? number - 1
      centres.append(row(next))
    }
    var middle = try withTensorErrors { Tensor.cat(centres) }
    var labels: [Int] = []
    for _ in 0..<50 {
      let distances = try withTensorErrors { flat.cdist(middle) }
      let nearest: [Int64] = try withTensorErrors { (-distances).argmax(1) }.scalars()
      let found = nearest.map(Int.init)
      if found == labels { break }
      labels = found
      middle = try withTensorErrors {
        .cat(
          (0..<count).map { label in
            let rows = labels.indices.filter { labels[$0] == label }
            return rows.isEmpty
              ? middle.narrow(0, start: label, length: 1)
              : flat.indexSelect(0, index: Tensor(rows.map(Int64.init))).mean([0], keepdim: true)
          })
      }
    }
    return labels
  }
}
