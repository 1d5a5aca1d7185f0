public import QuickstepEvaluation
public import QuickstepTensor

/// A figure that a faster way has to keep: what a network sees in its pictures, not how near they are to the exact run's.
///
/// Two ways may draw different pictures that are equally good; likeness cannot tell, such figures can. A way keeps a figure where its loss cannot
/// be told from none (the 95 % interval of the paired difference reaches down to 0) and is at most ``margin`` in the mean. With few pictures
/// much cannot be told: the interval says how much.
public struct Safeguard: Sendable {
  /// What is known of a set of pictures.
  public enum Evidence: Sendable {
    /// A value per picture.
    case values([Double])
    /// Features per picture, `[N, F]`.
    case features(Tensor)

    /// Number of pictures.
    public var count: Int {
      switch self {
      case .values(let values): values.count
      case .features(let features): features.size(0)
      }
    }
  }

  /// How a way compares with the exact run.
  public struct Outcome: Sendable, Hashable, Codable {
    /// Name of the figure: `recognition-emoji-classifier`.
    public var metric: String
    /// The way's figure and the exact run's, on the same prompts and seeds.
    public var value: Double, exact: Double
    /// How much worse the way is, in units of the figure: mean and ends of the 95 % interval; negative where it is better.
    public var loss: Double, lower: Double, upper: Double
    /// The largest mean loss that is put up with, in units of the figure.
    public var margin: Double
    /// Pictures.
    public var pictures: Int
    /// Whether values are shares in 0…1.
    public var isShare: Bool

    /// Whether the loss cannot be told from none and is within the margin.
    public var isKept: Bool { lower <= 0 && loss <= margin }

    /// See the properties.
    public init(
      metric: String, value: Double, exact: Double, loss: Double, lower: Double, upper: Double, margin: Double, pictures: Int, isShare: Bool
    ) {
      (self.metric, self.value, self.exact, self.loss) = (metric, value, exact, loss)
      (self.lower, self.upper, self.margin) = (lower, upper, margin)
      (self.pictures, self.isShare) = (pictures, isShare)
    }
  }

  /// Name of the figure.
  public let name: String
  /// Largest mean loss that is put up with, as a share of the exact run's figure.
  public let margin: Double
  private let direction: MetricDirection
  private let isShare: Bool
  /// Resamples for the interval; figures of sets are costly.
  private let resamples: Int
  private let look: @Sendable (Tensor, [String]) throws -> Evidence
  private let figure: @Sendable (Evidence) throws -> Double

  /// A figure with a value per picture.
  /// - Parameter margin: 0…1.
  public init(_ metric: any PromptMetric, margin: Double) {
    (name, self.margin) = (metric.figure, margin)
    let declaration = type(of: metric).declaration
    (direction, isShare, resamples) = (declaration.direction, declaration.isShare, 2000)
    look = { pictures, prompts in .values(try metric.values(QualityMeasure.coloured(pictures), prompts: prompts)) }
    figure = { evidence in
      guard case .values(let values) = evidence, !values.isEmpty else { throw EvaluationError("there are no values") }
      return metric.summarised(values.reduce(0, +) / Double(values.count))
    }
  }

  /// Squared Fréchet distance to real pictures in a network's features.
  /// - Parameters:
  ///   - real: mean and covariance of real pictures' features.
  ///   - margin: 0…1.
  public init(frechetIn net: any FeatureNet, to real: GaussianStatistics, margin: Double) {
    (name, self.margin, direction, isShare, resamples) = ("frechet-\(net.name)", margin, .lowerIsBetter, false, 200)
    look = { pictures, _ in
      let clipped = try withTensorErrors { pictures.clamp(min: -1, max: 1) }
      return .features(try net.features(net.channels == 3 ? QualityMeasure.coloured(clipped) : clipped, batch: 64))
    }
    figure = { evidence in
      guard case .features(let features) = evidence else { throw EvaluationError("there are no features") }
      return try FrechetDistance.squared(GaussianStatistics(features: features), real)
    }
  }

  /// What is to be known of these pictures.
  /// - Parameters:
  ///   - pictures: `[N, C, H, W]`, about −1…1.
  ///   - prompts: N.
  /// - Throws: what the network throws, as for prompts it knows nothing of.
  public func evidence(_ pictures: Tensor, prompts: [String]) throws -> Evidence { try look(pictures, prompts) }

  /// Compares a way with the exact run.
  /// - Parameters: evidence of the same prompts and seeds in the same order.
  /// - Throws: ``EvaluationError`` where they cannot be compared.
  public func outcome(_ way: Evidence, exact: Evidence) throws -> Outcome {
    guard way.count == exact.count, way.count >= 2 else {
      throw EvaluationError("\(way.count) and \(exact.count) pictures cannot be compared; two or more of each are needed")
    }
    let (value, standard) = (try figure(way), try figure(exact))
    let estimate = try Bootstrap(resamples: resamples).figure(count: way.count) { places in
      direction.loss(candidate: try figure(Self.part(way, places)), baseline: try figure(Self.part(exact, places)))
    }
    return Outcome(
      metric: name, value: value, exact: standard, loss: estimate.value, lower: estimate.lower, upper: estimate.upper,
      margin: margin * abs(standard), pictures: way.count, isShare: isShare)
  }

  private static func part(_ evidence: Evidence, _ places: [Int]) throws -> Evidence {
    switch evidence {
    case .values(let values): .values(places.map { values[$0] })
    case .features(let features): .features(try withTensorErrors { features.indexSelect(0, index: Tensor(places)) })
    }
  }
}
