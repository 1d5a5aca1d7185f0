import Foundation

/// A factor on an estimated derivative that tends to 1 as the step shrinks: it leaves the order alone and changes the error (Liu et al. 2023,
/// section 3.2). Named solvers differ from the plain Taylor step by one of these.
public enum Relaxation: Hashable, Sendable {
  /// 1.
  case none
  /// 1 + c·h.
  case linear(Double)
  /// ½/φ₂: makes the slope's weight ½h² (UniPC with B(h) = h).
  case bh1
  /// ½·φ₁/φ₂: makes the slope's weight half of the step's own (DPM-Solver's midpoint variants, UniPC with B(h) = eʰ − 1).
  case bh2
  /// 1 + ½(eʰ − 1).
  case halfExponential
  /// 1 − ½(eʰ − 1).
  case minusHalfExponential

  /// - Parameters:
  ///   - h: length of the step.
  ///   - z: what the φ functions of the step are taken at; −h for the denoised prediction.
  func factor(h: Double, z: Double) -> Double {
    switch self {
    case .none: 1
    case .linear(let slope): 1 + slope * h
    case .bh1: 0.5 / phi(2, z)
    case .bh2: 0.5 * phi(1, z) / phi(2, z)
    case .halfExponential: 1 + 0.5 * expm1(z)
    case .minusHalfExponential: 1 - 0.5 * expm1(z)
    }
  }
}

extension Relaxation {
  /// The words of a decision file. `linear` goes with a coefficient.
  static let words = ["none", "linear", "bh1", "bh2", "0.5exp", "-0.5exp"]

  var word: String {
    switch self {
    case .none: "none"
    case .linear: "linear"
    case .bh1: "bh1"
    case .bh2: "bh2"
    case .halfExponential: "0.5exp"
    case .minusHalfExponential: "-0.5exp"
    }
  }

  init?(word: String, coefficient: Double) {
    switch word {
    case "none": self = .none
    case "linear": self = .linear(coefficient)
    case "bh1": self = .bh1
    case "bh2": self = .bh2
    case "0.5exp": self = .halfExponential
    case "-0.5exp": self = .minusHalfExponential
    default: return nil
    }
  }
}
