import QuickstepNN

/// What a Runge–Kutta or multistep method averages along the path: a quantity that is linear in state and x̂0 and that, with the state, says
/// where the step goes. ε and the velocity stay constant where x̂0 and ε do, so that averages of them keep the order of the method.
enum PathSlope: String {
  /// ε = (x − α·x̂0)/σ: dy/dτ of the sigma frame, y = x/α, τ = σ/α. Says nothing at α = 0.
  case noise = "epsilon"
  /// ε − x̂0 = (x − (α+σ)·x̂0)/σ: dy/dτ of the flow frame, y = x/(α+σ), τ = σ/(α+σ).
  case velocity
  /// v = α·ε − σ·x̂0 of Salimans and Ho (2022, appendix D). It turns along the path even where x̂0 and ε do not change, so that averages of it
  /// are of first order; here because diffusers averages it for v models.
  case v

  init(_ frame: Frame) { self = frame == .sigma ? .noise : .velocity }

  /// Whether a step can be taken from this level by this quantity alone.
  func determinesStep(from level: NoiseLevel) -> Bool { level.sigma > 0 && (self != .noise || level.alpha > 0) }

  /// The quantity at a level with σ > 0.
  func form(_ x: LinearForm, _ denoised: Register, at level: NoiseLevel) -> LinearForm {
    let (a, s) = (level.alpha, level.sigma)
    let m = LinearForm(denoised)
    return switch self {
    case .noise: (1 / s) * x - (a / s) * m
    case .velocity: (1 / s) * x - ((a + s) / s) * m
    case .v: (a / s) * x - ((a * a + s * s) / s) * m
    }
  }

  /// α'·x0 + σ'·ε for the (x0, ε) that state and quantity say together: the step itself.
  func transfer(_ x: LinearForm, along slope: LinearForm, from: NoiseLevel, to: NoiseLevel) -> LinearForm {
    let (a, s, b, r) = (from.alpha, from.sigma, to.alpha, to.sigma)
    let norm = self == .velocity ? a + s : a * a + s * s
    return switch self {
    case .noise: (b / a) * x + (r - b * s / a) * slope
    case .velocity: ((b + r) / norm) * x + ((r * a - b * s) / norm) * slope
    case .v: ((b * a + r * s) / norm) * x + ((r * a - b * s) / norm) * slope
    }
  }
}

/// Weights of Adams–Bashforth methods.
enum AdamsBashforth {
  /// For evenly spaced points, newest first, orders 1 to 4 (PNDM, equations 9 and 12).
  static func even(order: Int) -> [Double] {
    switch order {
    case 1: [1]
    case 2: [1.5, -0.5]
    case 3: [23.0 / 12, -16.0 / 12, 5.0 / 12]
    default: [55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24]
    }
  }

  /// For any points: the mean over `from`…`to` of the polynomial through the slopes, as weights of the slopes.
  ///
  /// The integrals of Lagrange's polynomials are computed by Gauss' rule with two points, which is exact up to degree 3.
  /// - Parameter points: coordinates of the slopes, newest first, the first of them `from`; at most 4, all different.
  static func weights(points: [Double], to end: Double) -> [Double] {
    guard let start = points.first else { return [] }
    let (middle, half) = ((start + end) / 2, (end - start) / 2)
    let nodes = [middle - half / 3.0.squareRoot(), middle + half / 3.0.squareRoot()]
    return points.indices.map { j in
      nodes.reduce(0) { sum, node in
        sum
          + 0.5
          * points.indices.reduce(1.0) { product, k in k == j ? product : product * (node - points[k]) / (points[j] - points[k]) }
      }
    }
  }
}
