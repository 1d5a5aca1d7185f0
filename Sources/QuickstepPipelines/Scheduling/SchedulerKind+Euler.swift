import QuickstepDiffusion
import QuickstepFormats

extension SchedulerKind {
  static let euler = [
    SchedulerKind(
      prefix: "EulerAncestral", interpolation: .sigma, rescaled: .nearZero,
      spacing: { try plainSpacing($0, standard: "linspace", more: [:]) }),
    SchedulerKind(
      prefix: "Euler", interpolation: .sigma, rescaled: .nearZero,
      spacing: { keys in
        // The factors of the whole trained range, and no step to clean data.
        try sigmaSpacing(keys) ?? (isLogLinear(keys) ? ("exponential", [:]) : plainSpacing(keys, standard: "linspace", more: [:]))
      },
      endsAtLeastNoise: { keys in
        let isLeast = try endsAtMinimum(keys)
        if try sigmaSpacing(keys) == nil, try isLogLinear(keys) { return true }
        return try isLeast && !beginsAtLeastNoise(keys, standard: "linspace")
      },
      boundsByTimesteps: { try !isLogLinear($0) }, warnings: eulerWarnings),
  ]

  /// Levels between those of trained timesteps, before any spacing of noise: by σ at the timesteps, or evenly in log σ without them.
  private static func isLogLinear(_ keys: SchedulerKeys) throws -> Bool {
    try keys.choice("interpolation_type", "linear", allowed: ["linear", "log_linear"]) == "log_linear"
  }

  /// Whether the network is told ln(σ)/4, and its input and output are scaled as EDM's with data of variance 1 and a negated output: in
  /// diffusers' words `timestep_type` `continuous` of a v-prediction. For other predictions the key has no effect.
  static func isContinuous(_ keys: SchedulerKeys) throws -> Bool {
    let isContinuous = try keys.choice("timestep_type", "discrete", allowed: ["discrete", "continuous"]) == "continuous"
    return try isContinuous && keys.text("prediction_type", "epsilon") == "v_prediction"
  }

  /// The forward process of ``isContinuous(_:)``, between the given ends or those of the betas.
  static func continuousProcess(_ keys: SchedulerKeys, _ trained: DiscreteVPSchedule) throws -> EDMSchedule {
    guard try sigmaSpacing(keys) != nil else {
      throw FormatError(
        keys.path,
        "'timestep_type' is 'continuous', which is supported with use_karras_sigmas, use_exponential_sigmas and use_beta_sigmas only")
    }
    let (least, most) = try (trained.frame.coordinate(trained.smallest()), trained.frame.coordinate(trained.largest()))
    return try EDMSchedule(sigmaMin: keys.number("sigma_min", least), sigmaMax: keys.number("sigma_max", most))
  }

  private static let eulerWarnings: @Sendable (SchedulerKeys) throws -> [String] = { keys in
    if try sigmaSpacing(keys) == nil, try isLogLinear(keys) {
      return [
        "the scheduler's 'interpolation_type' is 'log_linear', with which diffusers tells the network evenly spaced timesteps that do not "
          + "belong to the noise; here it is told those that do"
      ]
    }
    guard try endsAtMinimum(keys), try sigmaSpacing(keys) == nil else { return [] }
    if try beginsAtLeastNoise(keys, standard: "linspace") {
      return ["the scheduler's last step goes nowhere ('final_sigmas_type' is 'sigma_min', 'steps_offset' 0); here it leads to clean data"]
    }
    let isEven = try keys.text("timestep_spacing", "linspace") == "linspace"
    return isEven ? [emptyStepWarning] : []
  }

  /// Where a list of noise levels ends at the least noise, and the least noise comes once more.
  static let emptyStepWarning =
    "the scheduler's last step goes nowhere (it ends at the least noise twice); here all steps lead to the least noise"
}
