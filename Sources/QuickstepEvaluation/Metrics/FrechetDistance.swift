public import QuickstepTensor

/// Mean and covariance of features: what the Fréchet distance knows of a set of pictures.
public struct GaussianStatistics: Sendable {
  /// `[F]`, float64 on the CPU.
  public let mean: Tensor
  /// `[F, F]`, float64 on the CPU.
  public let covariance: Tensor
  /// How many pictures it was taken from; `nil` when given as such.
  public let count: Int?

  /// The unbiased estimate (divided by N − 1) from features.
  /// - Parameter features: `[N, F]` with N of at least 2.
  /// - Throws: ``EvaluationError`` for other shapes, fewer than two pictures, and values that are not finite.
  public init(features: Tensor) throws {
    try Checks.features(features, "the features")
    let count = features.size(0)
    guard count >= 2 else { throw EvaluationError("a covariance needs at least 2 pictures; there is \(count)") }
    (mean, covariance) = try withInference {
      try withTensorErrors {
        let values = features.to(.float64, .cpu)
        let mean = values.mean([0])
        let centred = values - mean
        return (mean, centred.transposed.matmul(centred) / Double(count - 1))
      }
    }
    self.count = count
  }

  /// Given statistics.
  /// - Parameters:
  ///   - mean: `[F]`.
  ///   - covariance: `[F, F]`, symmetric and without negative eigenvalues.
  /// - Throws: ``EvaluationError`` when shapes do not fit, values are not finite or the covariance is not symmetric.
  public init(mean: Tensor, covariance: Tensor) throws {
    guard mean.rank == 1, covariance.shape == [mean.count, mean.count] else {
      throw EvaluationError("a mean of shape \(mean.shape) and a covariance of \(covariance.shape); expected [F] and [F, F]")
    }
    try Checks.finite(mean, "the mean's values")
    try Checks.finite(covariance, "the covariance's values")
    let (values, matrix) = try withTensorErrors { (mean.detach().to(.float64, .cpu), covariance.detach().to(.float64, .cpu)) }
    let scale = try withTensorErrors { matrix.abs().max() }.item()
    let gap = try withTensorErrors { (matrix - matrix.transposed).abs().max() }.item()
    guard gap <= 1e-6 * scale else { throw EvaluationError("the covariance is not symmetric: entries differ by \(gap)") }
    (self.mean, self.covariance, count) = (values, matrix, nil)
  }

  /// Number of features.
  public var featureCount: Int { mean.count }
}

/// Squared Fréchet (2-Wasserstein) distance between two Gaussians (Dowson & Landau 1982): |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½).
///
/// It is the formula of the literature's FID (Heusel et al. 2017), which takes it in the features of one certain Inception network; in
/// other features it has another scale and must carry another name. Two figures may be compared only at the same feature net and the same
/// number of pictures: few pictures make it too large, by roughly a constant over N.
///
/// The trace of (Σ₁Σ₂)^½ is the sum of the singular values of L₁ᵀL₂ where Σ = LLᵀ comes from a symmetric eigendecomposition. So no
/// square root of a non-symmetric matrix is taken, which fails when there are fewer pictures than features (N < F) and Σ is singular:
/// directions without spread (eigenvalues below F·ε of the largest) are left out instead of giving √ε each.
public enum FrechetDistance {
  /// The squared distance, 0 or larger. Float64.
  /// - Throws: ``EvaluationError`` when the numbers of features differ or a covariance has negative eigenvalues; `TensorError`.
  public static func squared(_ first: GaussianStatistics, _ second: GaussianStatistics) throws -> Double {
    guard first.featureCount == second.featureCount else {
      throw EvaluationError("\(first.featureCount) features on one side and \(second.featureCount) on the other")
    }
    return try withInference {
      let (left, right) = (try factor(first.covariance), try factor(second.covariance))
      let overlap = try sumOfSingularValues(left, right)
      let gap = try withTensorErrors { (first.mean - second.mean).square().sum() }.item()
      let traces = try withTensorErrors { first.covariance.trace() + second.covariance.trace() }.item()
      // The exact value is never negative; rounding may leave about −1e-13 of the traces.
      return max(0, gap + traces - 2 * overlap)
    }
  }

  /// Between two sets of features `[N, F]` and `[M, F]`; see ``GaussianStatistics/init(features:)``.
  public static func squared(_ first: Tensor, _ second: Tensor) throws -> Double {
    try squared(try GaussianStatistics(features: first), try GaussianStatistics(features: second))
  }

  /// The squared distance that would be reached with endless pictures, by a straight line through its values at several numbers of pictures N over
  /// 1/N (Chong & Forsyth 2020, arXiv 1911.07023): few pictures make the distance too large by about a constant over N.
  ///
  /// Each number takes the first pictures of one random order. The interval is that of the line's intercept under independent errors, which
  /// nested sets do not have: take it as a hint.
  /// - Parameters:
  ///   - first: `[N, F]`, the pictures whose number is varied; N of at least 20.
  ///   - second: the reference, `[M, F]`, or all that is known of it.
  ///   - points: numbers of pictures, evenly spaced from N/2 to N; at least 3.
  ///   - seed: of the order.
  ///   - confidence: of the interval, between 0 and 1 (exclusive).
  /// - Throws: ``EvaluationError`` for too few pictures or points, and as ``squared(_:_:)``.
  public static func extrapolated(
    _ first: Tensor, _ second: GaussianStatistics, points: Int = 10, seed: UInt64 = 0, confidence: Double = 0.95
  ) throws -> Estimate {
    try Checks.features(first, "the features")
    let count = first.size(0)
    guard count >= 20, points >= 3, points <= count / 2, confidence > 0, confidence < 1 else {
      throw EvaluationError("a line through \(points) numbers of pictures up to \(count): at least 20 pictures and 3 points are needed")
    }
    let generator = try Generator(seed: seed)
    let order = try withTensorErrors { Tensor.randperm(count, generator: generator) }
    let sizes = (0..<points).map { count / 2 + (count - count / 2) * $0 / (points - 1) }
    let values = try sizes.map { size in
      let part = try withTensorErrors { first.to(.cpu).indexSelect(0, index: order.narrow(0, start: 0, length: size)) }
      return try squared(try GaussianStatistics(features: part), second)
    }
    let line = LineFit(x: sizes.map { 1 / Double($0) }, y: values)
    let reach = Normal.quantile(0.5 + confidence / 2) * line.interceptError
    return Estimate(
      value: line.intercept, lower: line.intercept - reach, upper: line.intercept + reach, count: count, confidence: confidence)
  }

  /// L `[F, R]` with LLᵀ = Σ, R being the rank.
  private static func factor(_ covariance: Tensor) throws -> Tensor {
    let (values, vectors) = try withTensorErrors { ((covariance + covariance.transposed) * 0.5).eigh() }
    let numbers = try values.scalars(Double.self)
    let largest = numbers.last ?? 0
    let smallest = numbers.first ?? 0
    // Looser than the limit of rank: statistics may come from float32.
    guard smallest >= -1e-6 * max(largest, .leastNormalMagnitude) else {
      throw EvaluationError("a covariance has the eigenvalue \(smallest): it is not one of real numbers")
    }
    let limit = max(largest, 0) * Double(numbers.count) * 0x1p-52
    let start = numbers.firstIndex { $0 > limit } ?? numbers.count
    return try withTensorErrors {
      let length = numbers.count - start
      return vectors.narrow(1, start: start, length: length) * values.narrow(0, start: start, length: length).sqrt()
    }
  }

  private static func sumOfSingularValues(_ left: Tensor, _ right: Tensor) throws -> Double {
    // A set whose pictures are all alike has no spread and no overlap.
    guard left.size(1) > 0, right.size(1) > 0 else { return 0 }
    return try withTensorErrors { Tensor.svd(left.transposed.matmul(right), fullMatrices: false).1.sum() }.item()
  }
}
