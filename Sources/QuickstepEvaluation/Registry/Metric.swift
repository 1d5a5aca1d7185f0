public import QuickstepNN
public import QuickstepTensor

/// A network that metrics use: a ``FeatureNet``, a ``PictureDistance``, a ``TextPictureNet``, or several of them at once.
public protocol EvaluationNet: Sendable {
  /// Short, for reports: `squeezenet`, `lpips-alex`. Figures carry it.
  var name: String { get }
}

/// How differently two pictures look to a network.
public protocol PictureDistance: EvaluationNet {
  /// The name of the figure, with the network in it: `perceptual-squeezenet`, `lpips-alex`.
  var metric: String { get }
  /// One distance per pair, 0 for equal pictures.
  /// - Parameters:
  ///   - first: `[N, 1 or 3, H, W]` in −1…1; grey counts as three equal channels.
  ///   - second: of the same shape.
  ///   - batch: pairs per evaluation.
  /// - Throws: ``EvaluationError`` when shapes differ or do not suit the network; `TensorError`.
  func distances(_ first: Tensor, _ second: Tensor, batch: Int) throws -> [Double]
}

/// A network that puts texts and pictures into one space.
public protocol TextPictureNet: EvaluationNet {
  /// Cosine of the angle between each picture and its text, in −1…1.
  /// - Parameters:
  ///   - pictures: `[N, 3, H, W]` in −1…1.
  ///   - texts: N of them.
  /// - Throws: ``EvaluationError`` when counts or shapes do not fit; `TensorError`.
  func cosines(_ pictures: Tensor, texts: [String]) throws -> [Double]
  /// Those of the texts that are longer than the network takes, so that their end is not read.
  func cut(_ texts: [String]) -> [String]
}

/// A way to judge pictures. A new one is its file and a line in ``AllMetrics``.
public protocol Metric: Sendable {
  /// What it says about itself.
  static var declaration: MetricDeclaration { get }
  /// One for each of `nets` that it can use, or a single one when it needs none; empty when none of them suits.
  /// - Throws: ``EvaluationError`` for parameters that contradict each other.
  static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric]
  /// Name of the figure, with the network where there is one: `ssim`, `frechet-squeezenet`.
  var figure: String { get }
  /// How it is measured, in a few words; empty when the name says it all.
  var procedure: String { get }
  /// The declaration with what its parameters change in it; by default as it is.
  var demands: MetricDeclaration { get }
}

extension Metric {
  /// As declared.
  public var demands: MetricDeclaration { Self.declaration }
}

/// A metric of pairs.
public protocol PairedMetric: Metric {
  /// One finite value per pair.
  /// - Parameters:
  ///   - pictures: `[N, 3, H, W]` in −1…1.
  ///   - reference: the same shape.
  /// - Throws: ``EvaluationError``, `TensorError`.
  func values(_ pictures: Tensor, _ reference: Tensor) throws -> [Double]
}

/// A metric of sets in a feature space.
public protocol SetMetric: Metric {
  /// Whose features it works on.
  var net: any FeatureNet { get }
  /// The figure of two sets.
  /// - Throws: ``EvaluationError``, `TensorError`.
  func measure(_ sets: FeatureSets, _ bootstrap: Bootstrap) throws -> SetMeasurement
}

/// A metric of pictures and the texts they were asked for by.
public protocol PromptMetric: Metric {
  /// One finite value per picture.
  /// - Parameters:
  ///   - pictures: `[N, 3, H, W]` in −1…1.
  ///   - prompts: N texts.
  /// - Throws: ``EvaluationError``, `TensorError`.
  func values(_ pictures: Tensor, prompts: [String]) throws -> [Double]
  /// What the mean of all values becomes in the figure; by default itself.
  func summarised(_ mean: Double) -> Double
  /// What should be known beside the figure for these prompts; by default nothing.
  func note(_ prompts: [String]) -> String
}

extension PromptMetric {
  /// Nothing.
  public func note(_ prompts: [String]) -> String { "" }
  /// The mean as it is.
  public func summarised(_ mean: Double) -> Double { mean }
}

/// What a set metric found.
public struct SetMeasurement: Sendable, Hashable {
  /// The figure.
  public var value: Double
  /// Its interval, where there is one.
  public var interval: ClosedRange<Double>?
  /// What should be known beside it; empty for nothing.
  public var note: String

  /// - Parameters:
  ///   - value: the figure.
  ///   - interval: its interval, where there is one.
  ///   - note: what should be known beside it.
  public init(_ value: Double, interval: ClosedRange<Double>? = nil, note: String = "") {
    (self.value, self.interval, self.note) = (value, interval, note)
  }

  /// A value with its interval.
  public init(_ estimate: Estimate, note: String = "") {
    self.init(estimate.value, interval: estimate.lower <= estimate.upper ? estimate.lower...estimate.upper : nil, note: note)
  }
}

/// Features of two sets of pictures. What several metrics derive from them is computed once.
public final class FeatureSets {
  /// Of what is judged, `[N, F]` float32 on the CPU.
  public let pictures: Tensor
  /// Of what it should be like, `[M, F]`.
  public let reference: Tensor
  private var comparisons: [Int: ManifoldComparison] = [:]
  private var referenceMoments: GaussianStatistics?

  /// - Parameters:
  ///   - pictures: features of what is judged, `[N, F]`.
  ///   - reference: of what it should be like, `[M, F]`.
  /// - Throws: ``EvaluationError`` for other shapes, fewer than two pictures and values that are not finite.
  public init(_ pictures: Tensor, reference: Tensor) throws {
    try Checks.featureSets(pictures, reference)
    (self.pictures, self.reference) = (pictures, reference)
  }

  /// Both manifolds with balls to the k-th neighbour.
  /// - Throws: as ``ManifoldComparison/init(_:reference:neighbours:)``.
  public func manifolds(neighbours: Int) throws -> ManifoldComparison {
    if let known = comparisons[neighbours] { return known }
    let made = try ManifoldComparison(pictures, reference: reference, neighbours: neighbours)
    comparisons[neighbours] = made
    return made
  }

  /// Mean and covariance of the reference.
  /// - Throws: as ``GaussianStatistics/init(features:)``.
  public func referenceStatistics() throws -> GaussianStatistics {
    if let referenceMoments { return referenceMoments }
    let made = try GaussianStatistics(features: reference)
    referenceMoments = made
    return made
  }
}
