import QuickstepDiffusion
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
  /// The registered solver that stands for the class, where the settings decide that; that of the class's name where `nil`.
  var solver: @Sendable (SchedulerKeys) throws -> String? = { _ in nil }
  /// The forward process and spacing of `use_flow_sigmas`.
  var flow: @Sendable (SchedulerKeys, Int) throws -> (FlowSchedule, String, [String: String]) = { keys, steps in
    // One trained time below the whole noise, and what the network is told are whole numbers.
    let schedule = try FlowSchedule(
      shift: try keys.number("flow_shift", 1), trainedTimes: steps, timestepScale: Double(steps), largestTime: 1 - 1 / Double(steps),
      tellsWholeTimesteps: true)
    return (schedule, "trailing", [:])
  }
  /// What has no counterpart here.
  var warnings: @Sendable (SchedulerKeys) throws -> [String] = { try Self.unused($0, [:]) }

  private static let all = exponential + classical

  private static let classical = [
    SchedulerKind(prefix: "DDIM", endsAtLeastNoise: { try !$0.flag("set_alpha_to_one", true) }, warnings: { try unused($0, clipping) }),
    SchedulerKind(prefix: "DDPM", warnings: { try unused($0, clipping) }),
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

  static func plainSpacing(
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
  static func sigmaSpacing(
    _ keys: SchedulerKeys, karras: [String: String] = [:], exponential: [String: String] = [:]
  ) throws -> (String, [String: String])? {
    if try keys.flag("use_karras_sigmas") { return ("karras", karras) }
    if try keys.flag("use_exponential_sigmas") { return ("exponential", exponential) }
    return nil
  }

  /// Flags that are set and have no effect here.
  static func unused(_ keys: SchedulerKeys, _ flags: [String: String]) throws -> [String] {
    try flags.sorted { $0.key < $1.key }.compactMap { key, reason in
      try keys.flag(key) ? "the scheduler's '\(key)' has no counterpart here: \(reason)" : nil
    }
  }
}
