import QuickstepNN

/// Which prediction's course between two levels a step takes to be a polynomial. With one evaluation all kinds give the same step.
public enum PredictionKind: Hashable, Sendable {
  /// x̂0, a polynomial in λ (DPM-Solver++, UniPC's data form). It stays bounded, and may be thresholded.
  case denoised
  /// ε̂ = (x − α·x̂0)/σ, a polynomial in λ (DPM-Solver, DEIS in log ρ).
  case epsilon
  /// ε̂, a polynomial in σ/α (Adams–Bashforth in the sigma frame, DEIS's ρAB). Finite at clean data.
  case epsilonInSigma
  /// ε̂, a polynomial in the model's timestep (DEIS's tAB).
  case epsilonInTime
  /// ε̂ − x̂0, a polynomial in τ = σ/(α+σ), the time of flow models. Has no linear part, and is finite at pure noise and at clean data.
  case velocity
  /// Between ``epsilon`` (0) and ``denoised`` (1): the linear part of the equation is divided between the two, and both are polynomials
  /// in λ.
  case blend(Double)
  /// What the statistics of a model say varies least along its paths, a polynomial in λ (DPM-Solver-v3). Needs them.
  case statistics
}

/// What an evaluation can be read as.
enum PredictedQuantity: Hashable, CaseIterable {
  /// x̂0.
  case denoised
  /// (x − α·x̂0)/σ.
  case epsilon
  /// ε̂ − x̂0.
  case velocity
}

extension PredictionKind {
  /// What it is made of.
  var quantities: [PredictedQuantity] {
    switch self {
    case .denoised: [.denoised]
    case .epsilon, .epsilonInSigma, .epsilonInTime: [.epsilon]
    case .velocity: [.velocity]
    case .blend: [.denoised, .epsilon]
    // Its coefficients differ from element to element: it is written on the registers themselves.
    case .statistics: []
    }
  }

  /// In which the prediction is a polynomial.
  func coordinate(_ level: NoiseLevel, _ schedule: any NoiseSchedule) throws -> Double {
    switch self {
    case .denoised, .epsilon, .blend, .statistics: level.lambda
    case .epsilonInSigma: Frame.sigma.coordinate(level)
    case .velocity: Frame.flow.coordinate(level)
    // Of the level itself: what the network is told may be rounded.
    case .epsilonInTime: level.lambda.isFinite ? try schedule.level(lambda: level.lambda).timestep : level.lambda
    }
  }

  private static let words: [(String, PredictionKind)] = [
    ("denoised", .denoised), ("epsilon", .epsilon), ("epsilon-sigma", .epsilonInSigma), ("epsilon-time", .epsilonInTime),
    ("velocity", .velocity), ("statistics", .statistics),
  ]
  static var allWords: [String] { words.map(\.0) }

  init(share: Double) { self = share == 0 ? .epsilon : share == 1 ? .denoised : .blend(share) }
}

extension PredictionKind: Codable, CustomStringConvertible {
  /// The word or number of a decision file.
  public var description: String {
    if case .blend(let share) = self { return "\(share)" }
    return Self.words.first { $0.1 == self }?.0 ?? ""
  }

  /// Reads `denoised`, `epsilon`, `epsilon-sigma`, `epsilon-time`, `velocity`, `statistics`, or the share of the denoised prediction in a blend.
  public init?(_ text: String) {
    if let kind = Self.words.first(where: { $0.0 == text })?.1 {
      self = kind
    } else if let share = Double(text), (0...1).contains(share) {
      self.init(share: share)
    } else {
      return nil
    }
  }

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
        in: container,
        debugDescription: "no kind of prediction; allowed: \(Self.allWords.joined(separator: ", ")), or a number of 0…1")
    }
    self = kind
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if case .blend(let share) = self { try container.encode(share) } else { try container.encode(description) }
  }
}
