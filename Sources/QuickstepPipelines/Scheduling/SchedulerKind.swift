import QuickstepFormats

/// How one family of diffusers' scheduler classes reads its settings. Classes without a family of their own are read as `DDIMScheduler` is.
struct SchedulerKind: Sendable {
  /// Classes whose names begin with this.
  let prefix: String
  /// The registered spacing and its parameters, for schedules of trained timesteps.
  var spacing: @Sendable (SchedulerKeys) throws -> (String, [String: String]) = {
    try Self.plainSpacing($0, standard: "leading", more: [:])
  }
  /// Parameters of the solver that stands for the class.
  var parameters: @Sendable (SchedulerKeys) throws -> [String: String] = { _ in [:] }
  /// Whether a run ends at the least trained noise.
  var endsAtLeastNoise: @Sendable (SchedulerKeys) throws -> Bool = { _ in false }
  /// What has no counterpart here.
  var warnings: @Sendable (SchedulerKeys) throws -> [String] = { try Self.unused($0, [:]) }

  private static let all = [
    SchedulerKind(prefix: "DDIM", endsAtLeastNoise: { try !$0.flag("set_alpha_to_one", true) }, warnings: { try unused($0, clipping) }),
    SchedulerKind(prefix: "DDPM", warnings: { try unused($0, clipping) }),
    SchedulerKind(
      prefix: "DPMSolverMultistep",
      spacing: { keys in
        // The spaced points are one more than the steps, and whole timesteps.
        let rounds = try keys.text("beta_schedule", "linear") != "squaredcos_cap_v2"
        return try sigmaSpacing(keys, karras: rounds ? ["timestep": "round"] : [:])
          ?? plainSpacing(keys, standard: "linspace", more: ["skip-last": "true"], rounds: true)
      },
      parameters: { keys in
        [
          "variant": try keys.text("solver_type", "midpoint") == "heun" ? "taylor" : "midpoint",
          "lower-order-final": String(try keys.flag("lower_order_final", true)), "euler-at-final": String(try keys.flag("euler_at_final")),
        ]
      },
      endsAtLeastNoise: { try $0.text("final_sigmas_type", "zero") == "sigma_min" && !$0.flag("use_flow_sigmas") },
      warnings: { keys in
        var result = try unused(
          keys,
          [
            "thresholding": "x̂0 is not thresholded", "use_lu_lambdas": "its spacing is not there",
            "use_beta_sigmas": "its spacing is not there",
          ])
        let (order, algorithm) = (try keys.integer("solver_order", 2, 1...3), try keys.text("algorithm_type", "dpmsolver++"))
        if order != 2 { result.append("the scheduler's 'solver_order' is \(order); dpm++-2m has order 2") }
        if keys.members["lambda_min_clipped"]?.double != nil {
          result.append("the scheduler's 'lambda_min_clipped' has no counterpart here: a run begins at the most trained noise")
        }
        if algorithm != "dpmsolver++" { result.append("the scheduler's 'algorithm_type' is '\(algorithm)'; dpm++-2m is 'dpmsolver++'") }
        return result
      }),
    SchedulerKind(prefix: "Euler", spacing: { try sigmaSpacing($0) ?? plainSpacing($0, standard: "linspace", more: [:]) }),
    SchedulerKind(
      prefix: "FlowMatch",
      warnings: { keys in
        var result = try unused(
          keys,
          [
            "invert_sigmas": "time runs from noise to data here", "use_karras_sigmas": "times are spaced evenly",
            "use_exponential_sigmas": "times are spaced evenly", "use_beta_sigmas": "times are spaced evenly",
            "stochastic_sampling": "no noise is added",
          ])
        if try keys.number("shift_terminal", 0) != 0 { result.append("the scheduler's 'shift_terminal' has no counterpart here") }
        return result
      }),
    SchedulerKind(prefix: "Heun", spacing: { try sigmaSpacing($0) ?? plainSpacing($0, standard: "linspace", more: [:]) }),
  ]

  private static let clipping = [
    "clip_sample": "x̂0 is clipped by '--correct clip' only", "thresholding": "x̂0 is thresholded by '--correct' only",
  ]

  /// The family of a class.
  static func of(_ className: String) -> SchedulerKind { all.first { className.hasPrefix($0.prefix) } ?? SchedulerKind(prefix: "") }

  private static func plainSpacing(
    _ keys: SchedulerKeys, standard: String, more: [String: String], rounds: Bool = false
  ) throws -> (String, [String: String]) {
    let spacing = try keys.text("timestep_spacing", standard)
    var parameters = ["leading", "linspace"].contains(spacing) ? more : [:]
    if rounds, spacing == "linspace" { parameters["round"] = "true" }
    let offset = try keys.integer("steps_offset", 0, -1_000_000...1_000_000)
    if spacing == "leading", offset != 0 { parameters["offset"] = String(offset) }
    return (spacing, parameters)
  }

  /// Spacings of noise instead of time, where the file asks for one.
  private static func sigmaSpacing(_ keys: SchedulerKeys, karras: [String: String] = [:]) throws -> (String, [String: String])? {
    if try keys.flag("use_karras_sigmas") { return ("karras", karras) }
    if try keys.flag("use_exponential_sigmas") { return ("exponential", [:]) }
    return nil
  }

  /// Flags that are set and have no effect here.
  private static func unused(_ keys: SchedulerKeys, _ flags: [String: String]) throws -> [String] {
    try flags.sorted { $0.key < $1.key }.compactMap { key, reason in
      try keys.flag(key) ? "the scheduler's '\(key)' has no counterpart here: \(reason)" : nil
    }
  }
}
