public import QuickstepEvaluation
public import QuickstepTensor

/// How near pictures are to those of the exact run, as a loss.
public struct QualityMeasure: Sendable {
  /// Of the figure that people read: `ssim`.
  public var name: String
  /// Whether larger figures are nearer.
  public var higherIsBetter: Bool
  /// What equal pictures have.
  public var best: Double
  /// One figure per picture.
  /// - Parameters: pictures and exact ones, `[N, C, H, W]` in −1…1.
  public var figures: @Sendable (Tensor, Tensor) throws -> [Double]

  /// - Parameters:
  ///   - name: of the figure.
  ///   - higherIsBetter: whether larger figures are nearer.
  ///   - best: what equal pictures have; finite.
  ///   - figures: one figure per picture, from pictures and exact ones, `[N, C, H, W]`.
  public init(
    name: String, higherIsBetter: Bool, best: Double, figures: @escaping @Sendable (Tensor, Tensor) throws -> [Double]
  ) {
    (self.name, self.higherIsBetter, self.best, self.figures) = (name, higherIsBetter, best, figures)
  }

  /// 0 for equal pictures, growing with the distance.
  public func loss(_ figure: Double) -> Double { higherIsBetter ? best - figure : figure - best }
  /// The figure with this loss.
  public func figure(loss: Double) -> Double { higherIsBetter ? best - loss : best + loss }

  /// A loss beyond which nothing is gained, for figures whose scale is known: 0.3 where 1 stands for equal pictures. `nil` for others.
  var worstLoss: Double? { higherIsBetter && abs(best - 1) < 1e-3 ? 0.3 : nil }

  /// A registered metric of pairs.
  /// - Parameter sample: `[1, 3, H, W]`, of the size that is measured: what it has with itself is ``best``.
  /// - Throws: what the metric throws.
  public init(_ metric: any PairedMetric, equal sample: Tensor) throws {
    @Sendable func figures(_ pictures: Tensor, _ exact: Tensor) throws -> [Double] {
      let (shown, wanted) = (try Self.coloured(pictures), try Self.coloured(exact))
      return try metric.values(shown, wanted)
    }
    self.init(
      name: metric.figure, higherIsBetter: type(of: metric).declaration.direction == .higherIsBetter, best: try figures(sample, sample)[0],
      figures: figures)
  }

  /// In −1…1 with three channels: grey counts as three equal ones.
  static func coloured(_ pictures: Tensor) throws -> Tensor {
    try withTensorErrors {
      let clipped = pictures.clamp(min: -1, max: 1)
      return clipped.size(1) == 1 ? .cat([clipped, clipped, clipped], dim: 1) : clipped
    }
  }
}
