import Foundation

/// How the per-step noise variances β of a discrete variance-preserving model were chosen.
public struct BetaSchedule: Sendable, Hashable, CustomStringConvertible {
  enum Kind: Hashable {
    case linear(Double, Double)
    case scaledLinear(Double, Double)
    case sigmoid(Double, Double)
    case cosine, exponential, laplace
    case restoration(Double)
    case trained([Double])
  }
  let kind: Kind

  /// β evenly spaced (Ho et al. 2020, section 4).
  public static func linear(_ start: Double = 0.0001, _ end: Double = 0.02) -> Self { Self(kind: .linear(start, end)) }
  /// √β evenly spaced: latent diffusion and Stable Diffusion, usually 0.00085 to 0.012.
  public static func scaledLinear(_ start: Double = 0.00085, _ end: Double = 0.012) -> Self { Self(kind: .scaledLinear(start, end)) }
  /// β on a logistic curve from −6 to 6 (GeoDiff; diffusers' `sigmoid`).
  public static func sigmoid(_ start: Double = 0.0001, _ end: Double = 0.02) -> Self { Self(kind: .sigmoid(start, end)) }
  /// ᾱ on a squared cosine with β ≤ 0.999 (Nichol and Dhariwal 2021, equation 17; diffusers' `squaredcos_cap_v2`).
  public static let cosine = Self(kind: .cosine)
  /// ᾱ = e^{−12 t} (diffusers' `exp`).
  public static let exponential = Self(kind: .exponential)
  /// ᾱ with Laplace-distributed log-SNR (diffusers' `laplace`).
  public static let laplace = Self(kind: .laplace)
  /// ᾱ = 1 − e^{−k·(1 − t)}, scaled to 0.001…1: leaves noise quickly and then creeps, for restoration from few steps (HIR-Diff, Pang et al.
  /// 2024, by its code; the printed equation is its mirror image).
  /// - Parameter rate: k, 8 for denoising and super-resolution, 5 for inpainting.
  public static func restoration(_ rate: Double = 8) -> Self { Self(kind: .restoration(rate)) }
  /// β given one by one, noise growing.
  public static func trained(_ betas: [Double]) -> Self { Self(kind: .trained(betas)) }

  /// The schedule under its name in diffusers' `scheduler_config.json`.
  ///
  /// `restoration` is followed by its rate where that is not 8: `restoration-5`.
  /// - Throws: ``ScheduleError`` naming the allowed names.
  public static func named(_ name: String, start: Double = 0.0001, end: Double = 0.02) throws -> Self {
    switch name {
    case "linear": linear(start, end)
    case "scaled_linear": scaledLinear(start, end)
    case "sigmoid": sigmoid(start, end)
    case "squaredcos_cap_v2", "cosine": cosine
    case "exp", "exponential": exponential
    case "laplace": laplace
    case "restoration": restoration()
    default: try restoration(named: name)
    }
  }

  private static func restoration(named name: String) throws -> Self {
    let prefix = "restoration-"
    guard name.hasPrefix(prefix) else {
      throw ScheduleError(
        "no beta schedule is called '\(name)'; allowed: linear, scaled_linear, squaredcos_cap_v2, exp, laplace, sigmoid, restoration, "
          + "restoration-RATE")
    }
    guard let rate = Double(name.dropFirst(prefix.count)), (1...20).contains(rate) else {
      throw ScheduleError("the rate of the beta schedule '\(name)' is not a number of 1…20; restoration-5, for example")
    }
    return restoration(rate)
  }

  /// Whether the first and last β are given, and not part of the curve.
  package var hasEnds: Bool {
    switch kind {
    case .linear, .scaledLinear, .sigmoid: true
    case .cosine, .exponential, .laplace, .restoration, .trained: false
    }
  }

  /// The name in diffusers' configuration, or that of ``named(_:start:end:)``.
  public var description: String {
    switch kind {
    case .linear: "linear"
    case .scaledLinear: "scaled_linear"
    case .sigmoid: "sigmoid"
    case .cosine: "squaredcos_cap_v2"
    case .exponential: "exp"
    case .laplace: "laplace"
    case .restoration(8): "restoration"
    case .restoration(let rate): "restoration-" + (Int(exactly: rate).map { "\($0)" } ?? "\(rate)")
    case .trained: "trained"
    }
  }

  /// The β of every timestep.
  /// - Parameters:
  ///   - count: number of training timesteps, at least 2.
  ///   - precision: `.float32` rounds where torch does, see ``TablePrecision``.
  /// - Throws: ``ScheduleError`` when a β is outside (0, 1) or a trained list has another length.
  public func betas(count: Int, precision: TablePrecision = .double) throws -> [Double] {
    guard count >= 2 else { throw ScheduleError("a discrete schedule needs at least 2 training timesteps, not \(count)") }
    let values = raw(count: count, precision: precision)
    if case .restoration(let rate) = kind, values.isEmpty {
      throw ScheduleError("the rate of a restoration schedule is \(rate); allowed: above 0, finite")
    }
    guard values.count == count else { throw ScheduleError("\(values.count) trained betas were given for \(count) timesteps") }
    for (index, beta) in values.enumerated() where !(beta > 0 && beta < 1) {
      throw ScheduleError("beta \(beta) of timestep \(index) in the \(self) schedule is outside (0, 1)")
    }
    return values
  }

  private func raw(count: Int, precision: TablePrecision) -> [Double] {
    switch kind {
    case .linear(let start, let end):
      return precision.linspace(start, end, count)
    case .scaledLinear(let start, let end):
      return precision.linspace(start.squareRoot(), end.squareRoot(), count).map { precision.round($0 * $0) }
    case .sigmoid(let start, let end):
      return precision.linspace(-6, 6, count).map { precision.round(1 / (1 + exp(-$0)) * (end - start) + start) }
    case .cosine:
      return fromAlphaBar(count, precision) { t in pow(cos((t + 0.008) / 1.008 * .pi / 2), 2) }
    case .exponential:
      return fromAlphaBar(count, precision) { t in exp(-12 * t) }
    case .laplace:
      return fromAlphaBar(count, precision) { t in
        let lambda = -0.5 * (t > 0.5 ? -1 : 1) * log(1 - 2 * abs(0.5 - t) + 1e-6)
        return (exp(lambda) / (1 + exp(lambda))).squareRoot()
      }
    case .restoration(let rate):
      guard rate > 0, rate.isFinite else { return [] }
      return (0..<count).map { i in
        let level = { (j: Int) in
          let share = expm1(-rate * Double(count - j) / Double(count)) / expm1(-rate)
          return share * (1 - 1e-3) + 1e-3
        }
        return precision.round(1 - level(i + 1) / level(i))
      }
    case .trained(let betas):
      return betas.map(precision.round)
    }
  }

  private func fromAlphaBar(_ count: Int, _ precision: TablePrecision, _ alphaBar: (Double) -> Double) -> [Double] {
    (0..<count).map { i in
      let ratio = alphaBar(Double(i + 1) / Double(count)) / alphaBar(Double(i) / Double(count))
      return precision.round(min(1 - ratio, 0.999))
    }
  }
}

/// In which precision the table of ᾱ is made. The numbers differ by about 1e-6, which is visible when trajectories are compared.
public enum TablePrecision: String, Sendable, Hashable, Codable {
  /// Double throughout.
  case double
  /// β and ᾱ rounded to float32 where diffusers does; the running product itself is kept in Double, as torch does on a CPU.
  case float32

  func round(_ value: Double) -> Double { self == .double ? value : Double(Float(value)) }

  /// Evenly spaced values; in float32 from both ends towards the middle, as torch's `linspace`.
  func linspace(_ start: Double, _ end: Double, _ count: Int) -> [Double] {
    switch self {
    case .double:
      let step = (end - start) / Double(count - 1)
      return (0..<count).map { $0 < count / 2 ? start + step * Double($0) : end - step * Double(count - 1 - $0) }
    case .float32:
      let first = Float(start)
      let last = Float(end)
      let step = (last - first) / Float(count - 1)
      return (0..<count).map { Double($0 < count / 2 ? first + step * Float($0) : last - step * Float(count - 1 - $0)) }
    }
  }
}
