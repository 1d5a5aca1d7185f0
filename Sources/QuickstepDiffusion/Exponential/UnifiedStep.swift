/// What one step decides: every exponential integrator of the field is a list of these (Liu et al. 2023, "A Unified Sampling Framework for
/// Solver Searching of Diffusion Probabilistic Models").
///
/// Evaluations are named by their age: 0 is the one at the present state, 1 the one before it, and so on; in a corrector −1 is the new one,
/// at the target.
public struct UnifiedStep: Hashable, Sendable {
  /// Which prediction is a polynomial.
  public var prediction: PredictionKind
  /// Number of Taylor terms: 1 holds the prediction fixed, 2 adds its slope, ….
  public var order: Int
  /// Age of the state the step begins at; above 0 in singlestep methods, whose stages all begin at the same state.
  public var start: Int
  /// How the first, second, … derivative is estimated; one for each Taylor term after the first.
  public var derivatives: [DerivativeEstimate]
  /// What is done to the new state when its own prediction is known.
  public var corrector: Corrector?
  /// 0 follows the probability-flow ODE, 1 the reverse SDE.
  public var eta: Double
  /// Factor on the fresh noise; 1 keeps the marginals.
  public var noiseScale: Double
  /// An earlier noise prediction that the present one is moved away from (DualFast).
  public var anchor: Anchor?

  /// - Parameters:
  ///   - prediction: which prediction is a polynomial.
  ///   - order: number of Taylor terms, 1 and above.
  ///   - start: age of the state the step begins at.
  ///   - derivatives: `nil` takes all newer points and then the nearest older ones, `order` − 1 in all, without relaxation.
  ///   - corrector: what is done to the new state when its own prediction is known.
  ///   - eta: 0 follows the ODE, 1 the SDE.
  ///   - noiseScale: factor on the fresh noise.
  public init(
    _ prediction: PredictionKind = .denoised, order: Int = 1, start: Int = 0, derivatives: [DerivativeEstimate]? = nil,
    corrector: Corrector? = nil, eta: Double = 0, noiseScale: Double = 1
  ) {
    self.prediction = prediction
    self.order = order
    self.start = start
    self.derivatives = derivatives ?? DerivativeEstimate.nearest(order: order, start: start)
    self.corrector = corrector
    self.eta = eta
    self.noiseScale = noiseScale
  }
}

/// How one derivative of the prediction is estimated: through which points a polynomial is laid, and by what the estimate is multiplied.
public struct DerivativeEstimate: Hashable, Sendable {
  /// Ages of the evaluations, besides the one the step begins at; as many as the polynomial's degree.
  public var points: [Int]
  /// A factor that depends on the step's length.
  public var relaxation: Relaxation
  /// A plain factor. ½ on the second derivative is what DPM-Solver's published third-order code computes.
  public var factor: Double

  /// - Parameters:
  ///   - points: ages of the evaluations besides the first.
  ///   - relaxation: a factor that tends to 1.
  ///   - factor: a plain factor.
  public init(points: [Int], relaxation: Relaxation = .none, factor: Double = 1) {
    self.points = points
    self.relaxation = relaxation
    self.factor = factor
  }

  /// Polynomials through the same `order` − 1 points for all derivatives: the new one in a corrector, those after the start, then the
  /// nearest before it.
  static func nearest(order: Int, start: Int, new: [Int] = []) -> [DerivativeEstimate] {
    guard order > 1, start >= 0 else { return [] }
    let newer: [Int] = (0..<start).suffix(order - 1).reversed()
    let older = Array(start + 1..<start + order)
    let points = Array((new + newer + older).prefix(order - 1))
    return (1..<order).map { _ in DerivativeEstimate(points: points) }
  }
}

/// A second computation of the same step, when the prediction at its end is known (UniC).
public struct Corrector: Hashable, Sendable {
  /// Whether the prediction is made anew at the corrected state.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// The prediction at the predicted state is kept: no further evaluation.
    case pseudo
    /// The corrected state is evaluated once more.
    case implicit
  }
  /// Whether the prediction is made anew.
  public var kind: Kind
  /// Number of Taylor terms.
  public var order: Int
  /// Age of the state it begins at.
  public var start: Int
  /// How the derivatives are estimated; point −1 is the new prediction.
  public var derivatives: [DerivativeEstimate]

  /// - Parameters:
  ///   - kind: whether the prediction is made anew.
  ///   - order: number of Taylor terms, 2 and above.
  ///   - start: age of the state it begins at.
  ///   - derivatives: `nil` takes the new point, all newer than the start, and the nearest older ones.
  public init(_ kind: Kind = .pseudo, order: Int, start: Int = 0, derivatives: [DerivativeEstimate]? = nil) {
    self.kind = kind
    self.order = order
    self.start = start
    self.derivatives = derivatives ?? DerivativeEstimate.nearest(order: order, start: start, new: [-1])
  }
}

/// ε̂ + c·(ε̂ − ε̂_τ) in place of ε̂ in the first term of a step and of its correction, with an earlier ε̂_τ (DualFast, arXiv 2506.13058).
public struct Anchor: Hashable, Sendable {
  /// Which earlier evaluation.
  public enum Point: String, Sendable, Codable, CaseIterable {
    /// The first of the run.
    case first
    /// The one before the present.
    case previous
  }
  /// Which earlier evaluation.
  public var point: Point
  /// c.
  public var strength: Double

  /// c times the way from an earlier prediction.
  public init(_ point: Point, strength: Double) {
    self.point = point
    self.strength = strength
  }
}
