import Foundation
public import QuickstepNN

/// Variance-preserving diffusion over trained integer timesteps 0…N−1: α = √ᾱ, σ = √(1−ᾱ), ᾱ_t = Π(1−β) (Ho et al. 2020, equation 4).
public struct DiscreteVPSchedule: NoiseSchedule {
  /// How levels between two trained timesteps are found.
  public enum Interpolation: String, Sendable, Codable {
    /// λ linear in the timestep, as DPM-Solver does up to its choice of log α; never leaves the range of its neighbours.
    case lambda
    /// σ/α linear in the timestep, as diffusers' Euler, Heun and DPM schedulers do.
    case sigma
  }

  /// What is done so that the last timestep holds no signal (Lin et al. 2023, "Common diffusion noise schedules…", algorithm 1).
  public enum TerminalSNR: String, Sendable, Codable {
    /// The betas as they are.
    case trained
    /// Rescaled to α = 0 exactly at the last timestep. An ε model cannot start there; v and sample models can.
    case zero
    /// Rescaled, then ᾱ = 2⁻²⁴ at the last timestep, so that σ/α stays finite (diffusers' Euler and DPM schedulers).
    case nearZero
  }

  /// ᾱ of every timestep, falling.
  public let alphasCumprod: [Double]
  /// How levels between timesteps are found.
  public let interpolation: Interpolation
  /// A short description for messages.
  public let summary: String
  private let lambdas: [Double]
  private let ratios: [Double]

  /// - Parameters:
  ///   - betas: the trained noise variances.
  ///   - trainSteps: their number, at least 2.
  ///   - terminalSNR: whether the betas are rescaled.
  ///   - precision: `.float32` to reproduce diffusers' tables.
  ///   - interpolation: rule between timesteps.
  /// - Throws: ``ScheduleError`` when a β is outside (0, 1).
  public init(
    _ betas: BetaSchedule = .scaledLinear(), trainSteps: Int = 1000, terminalSNR: TerminalSNR = .trained,
    precision: TablePrecision = .double, interpolation: Interpolation = .lambda
  ) throws {
    var alphas = try betas.betas(count: trainSteps, precision: precision).map { precision.round(1 - $0) }
    if terminalSNR != .trained { alphas = Self.rescaled(alphas, precision) }
    var product = 1.0
    var table = alphas.map { alpha -> Double in
      product *= alpha
      return precision.round(product)
    }
    if terminalSNR == .nearZero { table[table.count - 1] = 0x1p-24 }
    self.interpolation = interpolation
    summary = "discrete VP schedule (\(betas) betas, \(trainSteps) timesteps)"
    alphasCumprod = table
    lambdas = table.map { 0.5 * log($0 / (1 - $0)) }
    ratios = table.map { ((1 - $0) / $0).squareRoot() }
  }

  /// The number of trained timesteps.
  public var trainSteps: Int? { alphasCumprod.count }
  /// 0…N−1.
  public var timeRange: ClosedRange<Double> { 0...Double(alphasCumprod.count - 1) }
  /// Sigma coordinates.
  public var frame: Frame { .sigma }

  /// From the table at whole timesteps, by ``interpolation`` between them.
  public func level(at timestep: Double) throws -> NoiseLevel {
    try checked(timestep)
    let index = Int(timestep)
    let fraction = timestep - Double(index)
    guard fraction > 0 else {
      let bar = alphasCumprod[index]
      return NoiseLevel(timestep: timestep, alpha: bar.squareRoot(), sigma: (1 - bar).squareRoot())
    }
    let lambda: Double
    switch interpolation {
    case .lambda: lambda = lambdas[index] + fraction * (lambdas[index + 1] - lambdas[index])
    case .sigma: lambda = -log(ratios[index] + fraction * (ratios[index + 1] - ratios[index]))
    }
    return Self.level(lambda: lambda, timestep: timestep)
  }

  /// (α, σ) exactly those of λ; the timestep by linear interpolation of λ, whatever ``interpolation`` is.
  public func level(lambda: Double) throws -> NoiseLevel {
    guard !lambda.isNaN else { throw ScheduleError("λ is NaN; allowed: any number of \(summary)") }
    guard lambda > -.infinity || alphasCumprod.last == 0 else {
      throw ScheduleError("λ is −∞ (pure noise), which \(summary) does not reach; its smallest λ is \(lambdas.last ?? 0)")
    }
    return Self.level(lambda: lambda, timestep: timestep(lambda: lambda))
  }

  /// The timestep with half log-SNR λ, by linear interpolation of λ, clipped to the trained range.
  public func timestep(lambda: Double) -> Double {
    var low = 0
    var high = lambdas.count - 1
    if lambda >= lambdas[low] { return 0 }
    if lambda <= lambdas[high] { return Double(high) }
    while high - low > 1 {
      let middle = (low + high) / 2
      if lambdas[middle] > lambda { low = middle } else { high = middle }
    }
    // A neighbour at −∞ (zero terminal SNR) has no slope: the level then belongs to the finite end.
    guard lambdas[high] > -.infinity else { return Double(low) }
    return Double(low) + (lambdas[low] - lambda) / (lambdas[low] - lambdas[high])
  }

  /// The β of a diffusion over some of the trained timesteps only: β_i = 1 − ᾱ(t_i)/ᾱ(t_{i−1}), ᾱ before the first being 1 (AutoDiffusion;
  /// improved diffusion's spaced sampling). Their products are ᾱ at the chosen timesteps.
  /// - Parameter timesteps: trained ones, rising.
  /// - Throws: ``ScheduleError`` for an empty list, for one that does not rise, and for timesteps that were not trained.
  public func respacedBetas(_ timesteps: [Int]) throws -> [Double] {
    guard !timesteps.isEmpty else { throw ScheduleError("no timesteps were given to respace \(summary)") }
    var before = 1.0
    return try timesteps.enumerated().map { index, timestep in
      guard alphasCumprod.indices.contains(timestep), index == 0 || timestep > timesteps[index - 1] else {
        throw ScheduleError(
          "timestep \(timestep) at place \(index + 1) cannot be chosen; allowed: rising, within 0…\(alphasCumprod.count - 1)")
      }
      defer { before = alphasCumprod[timestep] }
      return 1 - alphasCumprod[timestep] / before
    }
  }

  /// α² + σ² = 1 and α/σ = e^λ.
  static func level(lambda: Double, timestep: Double) -> NoiseLevel {
    let alpha = (1 / (1 + exp(-2 * lambda))).squareRoot()
    let sigma = (1 / (1 + exp(2 * lambda))).squareRoot()
    return NoiseLevel(timestep: timestep, alpha: alpha, sigma: sigma)
  }

  /// Shifts √ᾱ so that it ends at 0 and scales it back to its first value; returns the new 1−β.
  private static func rescaled(_ alphas: [Double], _ precision: TablePrecision) -> [Double] {
    var product = 1.0
    let roots = alphas.map { alpha -> Double in
      product *= alpha
      return precision.round(precision.round(product).squareRoot())
    }
    guard let first = roots.first, let last = roots.last else { return alphas }
    let bars = roots.map { root -> Double in
      let scaled = precision.round((root - last) * (first / (first - last)))
      return precision.round(scaled * scaled)
    }
    return bars.indices.map { $0 == 0 ? bars[0] : precision.round(1 - precision.round(1 - bars[$0] / bars[$0 - 1])) }
  }
}
