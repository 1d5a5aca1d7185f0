import QuickstepNN

/// One level of a run: the state there, and what the network said about it.
struct Visit {
  /// The level the network is told.
  let level: NoiseLevel
  /// The state that was evaluated.
  var state: Register
  /// The state that steps continue from: the evaluated one, or that after a correction.
  var continued: Register
  /// x̂0; empty stands for 0, `nil` for an evaluation that has not been made.
  var denoised: LinearForm?
  /// Predictions that have a register of their own.
  var stored: [PredictedQuantity: Register] = [:]

  init(level: NoiseLevel, state: Register) {
    self.level = level
    self.state = state
    continued = state
  }

  /// Whether a correction has moved the state away from where it was evaluated.
  var isCorrected: Bool { state != continued }

  /// The same for steps in the basis of a model's statistics.
  var point: StatisticsStep.Point {
    StatisticsStep.Point(state: continued, seen: state, denoised: denoised ?? LinearForm(), level: level)
  }

  /// A prediction as a form over registers.
  func value(_ quantity: PredictedQuantity) -> LinearForm {
    if let register = stored[quantity] { return LinearForm(register) }
    let denoised = denoised ?? LinearForm()
    switch quantity {
    case .denoised: return denoised
    case .epsilon: return 1 / level.sigma * LinearForm(state) - level.alpha / level.sigma * denoised
    case .velocity: return 1 / level.sigma * LinearForm(state) - Frame.flow.scale(level) / level.sigma * denoised
    }
  }
}
