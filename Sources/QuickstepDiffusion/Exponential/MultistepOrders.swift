import QuickstepNN

/// The orders a multistep method takes its steps at: rising while history is short, and falling again at the end where asked for.
struct MultistepOrders {
  /// Runs of fewer steps end at lower orders.
  let lowersBelow: Int
  /// The last step is first order in any run.
  let eulerAtFinal: Bool

  /// `lower-order-final`, `lower-order-below` and `euler-at-final`.
  static let parameters = [
    ParameterDeclaration(
      name: "lower-order-final", summary: "End short runs at lower orders: …, 2, 1.", domain: .flag, standard: .flag(true),
      neutral: .flag(false)),
    ParameterDeclaration(
      name: "lower-order-below", summary: "Runs of fewer steps than this are short; 15 in diffusers, 10 in the authors' code.",
      domain: .integer(0...1_000_000), standard: .integer(15)),
    ParameterDeclaration(
      name: "euler-at-final", summary: "Take the last step at first order always.", domain: .flag, standard: .flag(false)),
  ]

  init(_ values: ParameterValues) {
    lowersBelow = values.flag("lower-order-final") ? values.integer("lower-order-below") ?? 15 : 0
    eulerAtFinal = values.flag("euler-at-final")
  }

  init(lowersBelow: Int, eulerAtFinal: Bool = false) {
    self.lowersBelow = lowersBelow
    self.eulerAtFinal = eulerAtFinal
  }

  /// The order of step `index` of `steps`.
  func order(_ index: Int, of steps: Int, greatest: Int) -> Int {
    let left = steps - index
    if left == 1, eulerAtFinal { return 1 }
    return max(1, min(greatest, index + 1, steps < lowersBelow ? left : greatest))
  }
}

/// How the highest derivative of a DPM-Solver step enters.
enum SlopeVariant: String, CaseIterable {
  /// The slope's weight is half of the step's own weight (`dpmsolver` in the authors' code, `midpoint` in diffusers).
  case midpoint
  /// The slope's weight is the exact integral (`taylor` in the authors' code, `heun` in diffusers).
  case taylor

  static let parameter = ParameterDeclaration(
    name: "variant", summary: "How the slope enters: midpoint or Taylor (diffusers calls it heun).",
    domain: .choice(allCases.map(\.rawValue)), standard: .choice(midpoint.rawValue))

  init(_ values: ParameterValues) { self = SlopeVariant(rawValue: values.choice("variant") ?? "") ?? .midpoint }

  var relaxation: Relaxation { self == .midpoint ? .bh2 : .none }
}

/// Whether the third term of the published third-order multistep codes is computed as they do or as the expansion says.
enum ThirdTerm: String, CaseIterable {
  /// Half of the second derivative's term: the authors' code, diffusers and k-diffusion. Of order 2 in the limit.
  case parity
  /// The whole term. Of order 3.
  case exact

  static let parameter = ParameterDeclaration(
    name: "third-term", summary: "parity takes half of the second derivative, as all published codes do; exact takes it whole.",
    domain: .choice(allCases.map(\.rawValue)), standard: .choice(parity.rawValue))

  init(_ values: ParameterValues) { self = ThirdTerm(rawValue: values.choice("third-term") ?? "") ?? .parity }

  var factor: Double { self == .parity ? 0.5 : 1 }
}

/// The multistep steps of DPM-Solver and DPM-Solver++ in one place: they differ in the prediction, the noise and the rules above.
struct DPMMultistep {
  var prediction = PredictionKind.denoised
  var order = 2
  var variant = SlopeVariant.midpoint
  var third = ThirdTerm.parity
  var eta = 0.0
  var noiseScale = 1.0
  var orders = MultistepOrders(lowersBelow: 15)

  func plan(_ grid: Grid) -> [PlannedStep] {
    (0..<grid.steps).map { index in
      let order = orders.order(index, of: grid.steps, greatest: order)
      let derivatives: [DerivativeEstimate] =
        switch order {
        case 1: []
        case 2: [DerivativeEstimate(points: [1], relaxation: variant.relaxation)]
        default: [DerivativeEstimate(points: [1, 2]), DerivativeEstimate(points: [1, 2], factor: third.factor)]
        }
      return PlannedStep(
        to: grid.levels[index + 1],
        UnifiedStep(prediction, order: order, derivatives: derivatives, eta: eta, noiseScale: noiseScale))
    }
  }

  /// Order of convergence without noise.
  var convergence: Int { order == 3 ? (third == .exact ? 3 : 2) : order }
}

/// `eta` and `s-noise` of the methods that may follow the reverse SDE.
enum NoiseParameter {
  static func eta(standard: Double) -> ParameterDeclaration {
    ParameterDeclaration(
      name: "eta", summary: "0 follows the probability-flow ODE, 1 the reverse SDE.", domain: .number(0...1), standard: .number(standard),
      neutral: .number(0))
  }
  static let scale = ParameterDeclaration(
    name: "s-noise", summary: "Factor on the fresh noise; 1 keeps the marginals.", domain: .number(0...2), standard: .number(1),
    neutral: .number(1))
}
