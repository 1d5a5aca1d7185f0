import Foundation
public import QuickstepTensor

/// How much noise the samples of a batch hold: the second half of a step of ``DenoisingChains``.
public protocol NoiseLevelEstimator: Sendable {
  /// The values it may answer with: least and greatest σ/α.
  var range: ClosedRange<Double> { get }
  /// Evaluations of the denoiser that every answer costs.
  var evaluations: Int { get }
  /// Standard normal draws per sample that every answer takes.
  var draws: Int { get }
  /// σ/α of every sample.
  /// - Parameters:
  ///   - samples: y = x/α = x0 + (σ/α)·z, `[B, …]`.
  ///   - before: the answers before the samples were moved, B of them.
  ///   - normals: ``draws`` of them, `[B, draws]`; undefined where there are none.
  ///   - denoised: x̂0 of such samples at given σ/α, `[B, …]`: an evaluation.
  /// - Returns: B values within ``range``.
  func estimate(
    _ samples: Tensor, before: [Double], normals: Tensor, denoised: (_ samples: Tensor, _ sigmas: [Double]) throws -> Tensor
  ) throws -> [Double]
}

/// How a noise level is taken from the probabilities of a grid of them.
public enum NoiseLevelChoice: String, Sendable, Codable, CaseIterable {
  /// The most probable one, as the authors' program does.
  case largest = "argmax"
  /// One of them at random, as a Gibbs sampler has to.
  case sampled = "sample"
  /// The mean of log σ: the least error of a single answer, and none of the grid's steps.
  case mean
}

/// Noise levels by their probabilities given a sample, p(σ_k | y): a trained predictor, or a closed form.
public struct PosteriorEstimator: NoiseLevelEstimator {
  /// The grid, σ/α of every class, falling.
  public let sigmas: [Double]
  /// How one is taken.
  public let choice: NoiseLevelChoice
  private let logits: @Sendable (Tensor) throws -> Tensor

  /// - Parameters:
  ///   - sigmas: σ/α of every class: at least two, falling, above 0.
  ///   - choice: how one is taken.
  ///   - logits: log p(σ_k | y) up to a constant, `[B, K]`, of samples y `[B, …]`.
  /// - Throws: ``SamplingError`` for a grid that does not fall.
  public init(sigmas: [Double], choice: NoiseLevelChoice, logits: @escaping @Sendable (Tensor) throws -> Tensor) throws {
    guard sigmas.count >= 2, zip(sigmas, sigmas.dropFirst()).allSatisfy({ $0 > $1 }), let last = sigmas.last, last > 0, sigmas[0].isFinite
    else {
      throw SamplingError(
        "\(sigmas.count) noise levels from \(sigmas.first ?? 0) to \(sigmas.last ?? 0); allowed: 2 and above, falling, above 0")
    }
    (self.sigmas, self.choice, self.logits) = (sigmas, choice, logits)
  }

  /// The ends of the grid.
  public var range: ClosedRange<Double> { sigmas[sigmas.count - 1]...sigmas[0] }
  /// None.
  public var evaluations: Int { 0 }
  /// One where levels are drawn.
  public var draws: Int { choice == .sampled ? 1 : 0 }

  /// - Throws: ``SamplingError`` when there are not as many logits as levels, or they are not finite.
  public func estimate(
    _ samples: Tensor, before: [Double], normals: Tensor, denoised: (Tensor, [Double]) throws -> Tensor
  ) throws -> [Double] {
    let given = try logits(samples)
    guard given.shape == [samples.size(0), sigmas.count] else {
      throw SamplingError("the noise predictor's answer is \(given.shape); \([samples.size(0), sigmas.count]) is needed")
    }
    let probabilities = try withTensorErrors { given.to(.float64).softmax(1).to(.cpu) }
    let rows = try withTensorErrors { probabilities.contiguous() }.scalars(Double.self)
    guard rows.allSatisfy(\.isFinite) else { throw SamplingError("the noise predictor's answer holds values that are not finite") }
    let uniforms = choice == .sampled ? try Self.uniforms(normals) : []
    return (0..<samples.size(0)).map { sample in
      let row = rows[sample * sigmas.count..<(sample + 1) * sigmas.count]
      switch choice {
      case .largest: return sigmas[row.indices.reduce(row.startIndex) { row[$1] > row[$0] ? $1 : $0 } - row.startIndex]
      case .mean: return exp(zip(row, sigmas).reduce(0) { $0 + $1.0 * log($1.1) })
      case .sampled:
        var rest = uniforms[sample]
        for (weight, sigma) in zip(row, sigmas) {
          rest -= weight
          if rest < 0 { return sigma }
        }
        return sigmas[sigmas.count - 1]
      }
    }
  }

  /// Φ(z): uniform numbers from the run's own stream of normal ones.
  private static func uniforms(_ normals: Tensor) throws -> [Double] {
    try withTensorErrors { normals.to(.float64).reshape([-1]).to(.cpu).contiguous() }.scalars(Double.self).map {
      0.5 * erfc(-$0 / 2.0.squareRoot())
    }
  }
}

/// Noise levels without a predictor: the fixed point of σ̂² = mean (y − x̂0(y, σ̂))² over a sample's elements.
///
/// The residual lacks the part of the noise that lies along the data (E‖y − x̂0‖² = σ²·d − the denoiser's own error), so that answers are a
/// little too small: for data of k dimensions among d by about √(1 − k/d). It costs evaluations of the denoiser.
public struct ResidualEstimator: NoiseLevelEstimator {
  /// Where answers are kept.
  public let range: ClosedRange<Double>
  /// Iterations, each of them an evaluation.
  public let evaluations: Int
  /// None.
  public var draws: Int { 0 }

  /// - Parameters:
  ///   - range: least and greatest σ/α.
  ///   - iterations: from 1.
  /// - Throws: ``SamplingError`` for a range that is empty or not above 0, or no iterations.
  public init(range: ClosedRange<Double>, iterations: Int = 1) throws {
    guard range.lowerBound > 0, range.lowerBound < range.upperBound, range.upperBound.isFinite, iterations >= 1 else {
      throw SamplingError("noise levels within \(range) by \(iterations) iterations; allowed: above 0, rising, 1 iteration and above")
    }
    (self.range, evaluations) = (range, iterations)
  }

  public func estimate(
    _ samples: Tensor, before: [Double], normals: Tensor, denoised: (Tensor, [Double]) throws -> Tensor
  ) throws -> [Double] {
    var sigmas = before
    for _ in 0..<evaluations {
      let residual = try withTensorErrors { samples - (try denoised(samples, sigmas)) }
      let squares = try withTensorErrors { residual.to(.float64).square().reshape([samples.size(0), -1]).mean([1]).to(.cpu).contiguous() }
      sigmas = try squares.scalars(Double.self).map { min(max($0.squareRoot(), range.lowerBound), range.upperBound) }
    }
    return sigmas
  }
}
