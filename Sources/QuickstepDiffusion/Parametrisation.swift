public import QuickstepNN

/// What a network's output means. The inside of the package knows only x̂0; a parametrisation is the border to everything else.
///
/// For every kind the conversion is linear: x̂0 = skip·x + out·F(input·x), with the three numbers given by ``coefficients(at:)``.
public struct Parametrisation: Hashable, Sendable, Codable, CustomStringConvertible {
  enum Kind: Hashable, Codable { case epsilon, sample, v, flow, edm(Double), edmVelocity(Double) }
  let kind: Kind

  /// The network predicts the noise ε (Ho et al. 2020).
  public static let epsilon = Self(kind: .epsilon)
  /// The network predicts the clean data x0.
  public static let sample = Self(kind: .sample)
  /// The network predicts v = α·ε − σ·x0 (Salimans and Ho 2022, appendix D).
  public static let v = Self(kind: .v)
  /// The network predicts the velocity ε − x0 of a straight path.
  public static let flow = Self(kind: .flow)
  /// A network inside EDM's preconditioning (Karras et al. 2022, table 1), with the standard deviation of the data.
  public static func edm(sigmaData: Double = 0.5) -> Self { Self(kind: .edm(sigmaData)) }
  /// The same with the network's output negated: what diffusers' EDM schedulers call `v_prediction`.
  public static func edmVelocity(sigmaData: Double = 0.5) -> Self { Self(kind: .edmVelocity(sigmaData)) }

  /// The parametrisation under diffusers' name `prediction_type`.
  /// - Throws: ``ParametrisationError`` naming the allowed names.
  public static func named(_ name: String) throws -> Self {
    switch name {
    case "epsilon": epsilon
    case "sample", "original_sample": sample
    case "v_prediction", "v": v
    case "flow_prediction", "flow": flow
    case "edm": edm()
    case "edm_v_prediction": edmVelocity()
    default:
      throw ParametrisationError(
        "no prediction type is called '\(name)'; allowed: epsilon, sample, v_prediction, flow_prediction, edm, edm_v_prediction")
    }
  }

  /// The name in diffusers' configuration.
  public var description: String {
    switch kind {
    case .epsilon: "epsilon"
    case .sample: "sample"
    case .v: "v_prediction"
    case .flow: "flow_prediction"
    case .edm(let sigmaData): "edm (σ_data \(sigmaData))"
    case .edmVelocity(let sigmaData): "edm_v_prediction (σ_data \(sigmaData))"
    }
  }

  /// The numbers of x̂0 = skip·x + out·F(input·x).
  public struct Coefficients: Hashable, Sendable {
    /// What the state is multiplied by before it enters the network.
    public var input: Double
    /// What the state is multiplied by in x̂0.
    public var skip: Double
    /// What the network's output is multiplied by in x̂0.
    public var out: Double
  }

  /// The conversion at a noise level.
  /// - Throws: ``ParametrisationError`` at α = 0 for kinds that do not determine x̂0 there (ε and EDM), or for σ_data ≤ 0.
  public func coefficients(at level: NoiseLevel) throws -> Coefficients {
    let (a, s) = (level.alpha, level.sigma)
    guard a.isFinite, s.isFinite, a >= 0, s >= 0, a + s > 0 else {
      throw ParametrisationError("(α, σ) = (\(a), \(s)) is no noise level; allowed: finite, not negative, not both 0")
    }
    switch kind {
    case .sample: return Coefficients(input: 1, skip: 0, out: 1)
    case .v: return Coefficients(input: 1, skip: a / (a * a + s * s), out: -s / (a * a + s * s))
    case .flow: return Coefficients(input: 1, skip: 1 / (a + s), out: -s / (a + s))
    case .epsilon:
      guard a > 0 else { throw undetermined(level) }
      return Coefficients(input: 1, skip: 1 / a, out: -s / a)
    case .edm(let data), .edmVelocity(let data):
      guard a > 0 else { throw undetermined(level) }
      guard data > 0 else { throw ParametrisationError("σ_data is \(data); allowed: above 0") }
      let tau = s / a
      let variance = tau * tau + data * data
      let sign: Double = if case .edm = kind { 1 } else { -1 }
      return Coefficients(
        input: 1 / (a * variance.squareRoot()), skip: data * data / variance / a, out: sign * tau * data / variance.squareRoot())
    }
  }

  /// x̂0 from a network output, elementwise.
  /// - Throws: ``ParametrisationError`` where x̂0 is not determined (see ``coefficients(at:)``).
  public func denoised(output: Double, state: Double, at level: NoiseLevel) throws -> Double {
    let c = try coefficients(at: level)
    return c.skip * state + c.out * output
  }

  /// The network output that gives x̂0.
  /// - Throws: ``ParametrisationError`` at σ = 0, where x̂0 = x whatever the output (except for `sample`).
  public func output(denoised: Double, state: Double, at level: NoiseLevel) throws -> Double {
    let c = try invertible(at: level)
    return (denoised - c.skip * state) / c.out
  }

  /// The conversion, checked to have an inverse.
  func invertible(at level: NoiseLevel) throws -> Coefficients {
    let c = try coefficients(at: level)
    guard c.out != 0 else {
      throw ParametrisationError("at σ = 0 (timestep \(level.timestep)) a \(self) output cannot be told from x̂0; allowed: σ above 0")
    }
    return c
  }

  private func undetermined(_ level: NoiseLevel) -> ParametrisationError {
    ParametrisationError(
      "a \(self) model says nothing about x̂0 at pure noise (α = 0, timestep \(level.timestep)); start below it or use a v or sample model")
  }
}
