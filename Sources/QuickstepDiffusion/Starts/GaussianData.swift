import Foundation
public import QuickstepNN
public import QuickstepTensor

/// A normal distribution of clean data, with a covariance of low rank and a rest: Σ = U·diag(λ)·Uᵀ + ρ·(I − U·Uᵀ).
///
/// Score, denoiser and probability-flow ODE are known in closed form (Wang & Vastola 2024, arXiv 2412.09726, section 3). ρ is the mean variance
/// outside of the span of U; the paper's code has ρ = 0 there, which is the case where all of the covariance is in U.
public struct GaussianData: Sendable {
  /// μ, `[D]`, float32.
  public let mean: Tensor
  /// Uᵀ, `[r, D]`, orthonormal rows, float32.
  public let basis: Tensor
  /// λ, `[r]`, none negative.
  public let variances: [Double]
  /// ρ, not negative.
  public let rest: Double

  /// Given moments.
  /// - Throws: ``SamplingError`` when shapes do not fit or variances are negative or not finite.
  public init(mean: Tensor, basis: Tensor, variances: [Double], rest: Double) throws {
    guard mean.rank == 1, basis.rank == 2, basis.shape == [variances.count, mean.count] else {
      throw SamplingError(
        "a mean of shape \(mean.shape), a basis of \(basis.shape) and \(variances.count) variances; expected [D], [r, D] and r")
    }
    guard (variances + [rest]).allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw SamplingError("variances of data must be finite and not negative")
    }
    self.mean = try withTensorErrors { mean.to(.float32).contiguous() }
    self.basis = try withTensorErrors { basis.to(.float32).contiguous() }
    self.variances = variances
    self.rest = rest
  }

  /// Mean and covariance of samples.
  ///
  /// Eigenvalues of few samples are too large at the top and too small at the end, so that no more directions are kept than a quarter of the
  /// samples; what is left goes into ``rest``.
  /// - Parameters:
  ///   - samples: `[N, …]`, N of at least 2.
  ///   - rank: directions to keep at most.
  /// - Throws: ``SamplingError`` for fewer than 2 samples.
  public init(samples: Tensor, rank: Int) throws {
    guard samples.rank >= 2, samples.size(0) >= 2, rank >= 0 else {
      throw SamplingError("a covariance needs at least 2 samples and a rank of 0 or more; there are \(samples.shape) and \(rank)")
    }
    let count = samples.size(0)
    let (mean, basis, values, total) = try withInference {
      try withTensorErrors {
        let flat = samples.to(.float64, .cpu).reshape([count, -1])
        let mean = flat.mean([0])
        let centred = flat - mean
        let size = flat.size(1)
        let kept = Swift.min(rank, Swift.max(1, count / 4), size, count - 1)
        let total = (centred.square().sum() / Double(count - 1))
        // The smaller of the two matrices of products has the same eigenvalues.
        let isWide = size > count
        let products = (isWide ? centred.matmul(centred.transposed) : centred.transposed.matmul(centred)) / Double(count - 1)
        let (values, vectors) = products.eigh()
        let top = vectors.narrow(1, start: vectors.size(1) - kept, length: kept)
        var basis = (isWide ? centred.transposed.matmul(top) : top).transposed
        basis = basis / basis.square().sum([1], keepdim: true).sqrt().clamp(min: 1e-300)
        return (mean, basis, values.narrow(0, start: values.count - kept, length: kept), total)
      }
    }
    let kept: [Double] = try values.scalars().map { Swift.max(0, $0) }
    let left = Swift.max(0, try total.item() - kept.reduce(0, +))
    try self.init(
      mean: mean, basis: basis, variances: kept, rest: mean.count > kept.count ? left / Double(mean.count - kept.count) : 0)
  }

  /// Elements of a sample, D.
  public var size: Int { mean.count }

  /// Where the probability-flow ODE takes states from one level to another, exactly: in y = x/α and τ = σ/α every direction's distance from the
  /// mean grows as √(τ² + λ).
  /// - Parameter state: `[B, …]` with D elements per sample.
  /// - Throws: ``SamplingError`` when a sample has another number of elements.
  public func transported(_ state: Tensor, from: NoiseLevel, to: NoiseLevel) throws -> Tensor {
    // Both times α: √(σ² + α²·λ), which also holds at pure noise.
    func spread(_ variance: Double, _ level: NoiseLevel) -> Double {
      (level.sigma * level.sigma + level.alpha * level.alpha * variance).squareRoot()
    }
    return try mapped(state) { centred, own in
      let factors = variances.map { spread($0, to) / spread($0, from) }
      let common = spread(rest, to) / spread(rest, from)
      return centred * common + (own * Tensor(factors.map { Float($0 - common) })).matmul(basis)
    } from: {
      mean * from.alpha
    } to: {
      mean * to.alpha
    }
  }

  /// E[x0 | x] (equation 8): the posterior mean.
  /// - Parameter state: `[B, …]` with D elements per sample, at `level`.
  public func denoised(_ state: Tensor, at level: NoiseLevel) throws -> Tensor {
    let (alpha, noise) = (level.alpha, level.sigma * level.sigma)
    func share(_ variance: Double) -> Double {
      let denominator = alpha * alpha * variance + noise
      return denominator > 0 ? alpha * variance / denominator : 1 / max(alpha, 1e-300)
    }
    return try mapped(state) { centred, own in
      let common = share(rest)
      return centred * common + (own * Tensor(variances.map { Float(share($0) - common) })).matmul(basis)
    } from: {
      mean * alpha
    } to: {
      mean
    }
  }

  /// log p(x) at a level, without the term that all distributions of this size share; `[B]`, float64.
  func logDensity(_ state: Tensor, at level: NoiseLevel) throws -> [Double] {
    let (power, noise) = (level.alpha * level.alpha, level.sigma * level.sigma)
    let spreads = variances.map { power * $0 + noise }
    let common = power * rest + noise
    return try withInference {
      let flat = try checked(state).to(.float64)
      let (squares, along) = try withTensorErrors {
        let centred = flat - (mean * level.alpha).to(.float64)
        let own = centred.matmul(basis.to(.float64).transposed).square()
        return (centred.square().sum([1]) - own.sum([1]), own.matmul(Tensor(spreads.map { 1 / $0 }).unsqueeze(1)).squeeze(1))
      }
      let (rests, owns): ([Double], [Double]) = (try squares.scalars(), try along.scalars())
      let volume = spreads.reduce(0) { $0 + log($1) } + Double(size - variances.count) * log(common)
      return zip(rests, owns).map { -0.5 * (max(0, $0) / common + $1 + volume) }
    }
  }

  private func checked(_ state: Tensor) throws -> Tensor {
    guard state.rank >= 1, state.size(0) > 0, state.count == state.size(0) * size else {
      throw SamplingError("a state of shape \(state.shape) for data of \(size) elements per sample")
    }
    return try withTensorErrors { state.reshape([state.size(0), size]) }
  }

  /// Applies a map of the distance from the mean, given that distance `[B, D]` and its coordinates `[B, r]`.
  private func mapped(
    _ state: Tensor, _ map: (_ centred: Tensor, _ own: Tensor) -> Tensor, from origin: () -> Tensor, to target: () -> Tensor
  ) throws -> Tensor {
    let flat = try checked(state)
    return try withInference {
      try withTensorErrors {
        let centred = flat.to(.float32, .cpu) - origin()
        let result = map(centred, centred.matmul(basis.transposed)) + target()
        return result.reshape(state.shape).to(state.dtype, state.device).contiguous()
      }
    }
  }
}
