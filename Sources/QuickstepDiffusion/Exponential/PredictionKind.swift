/// Which prediction's course between two levels a step takes to be a polynomial. With one evaluation all kinds give the same step.
public enum PredictionKind: Hashable, Sendable {
  /// x̂0, a polynomial in λ (DPM-Solver++, UniPC's data form). It stays bounded, and may be thresholded.
  case denoised
  /// ε̂ = (x − α·x̂0)/σ, a polynomial in λ (DPM-Solver, DEIS).
  case epsilon
  /// ε̂ − x̂0, a polynomial in τ = σ/(α+σ), the time of flow models. Has no linear part, and is finite at pure noise and at clean data.
  case velocity
  /// Between ``epsilon`` (0) and ``denoised`` (1): the linear part of the equation is divided between the two, and both are polynomials
  /// in λ.
  case blend(Double)
}

extension PredictionKind: Codable, CustomStringConvertible {
  /// The word or number of a decision file.
  public var description: String {
    switch self {
    case .denoised: "denoised"
    case .epsilon: "epsilon"
    case .velocity: "velocity"
    case .blend(let share): "\(share)"
    }
  }

  /// Reads `denoised`, `epsilon`, `velocity`, or the share of the denoised prediction in a blend.
  public init?(_ text: String) {
    switch text {
    case "denoised": self = .denoised
    case "epsilon": self = .epsilon
    case "velocity": self = .velocity
    default:
      guard let share = Double(text), (0...1).contains(share) else { return nil }
      self.init(share: share)
    }
  }

  init(share: Double) { self = share == 0 ? .epsilon : share == 1 ? .denoised : .blend(share) }

  /// Reads a word, or a number of 0…1 for a blend.
  /// - Throws: `DecodingError` for anything else.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let share = try? container.decode(Double.self), (0...1).contains(share) {
      self.init(share: share)
      return
    }
    guard let text = try? container.decode(String.self), Double(text) == nil, let kind = PredictionKind(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "no kind of prediction; allowed: denoised, epsilon, velocity, or a number of 0…1")
    }
    self = kind
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if case .blend(let share) = self { try container.encode(share) } else { try container.encode(description) }
  }
}
