import QuickstepDiffusion
import QuickstepFormats

/// How one family of diffusers' scheduler classes reads its settings. Classes without a family of their own are read as `DDIMScheduler` is.
struct SchedulerKind: Sendable {
  /// Classes whose names begin with this.
  let prefix: String
  /// β where the file says nothing: name of the schedule, first and last.
  var betas = (schedule: "linear", start: 0.0001, end: 0.02)
  /// How levels between two trained timesteps are found.
  var interpolation = DiscreteVPSchedule.Interpolation.lambda
  /// What `rescale_betas_zero_snr` makes of the last timestep: no signal at all, or so little that σ/α is still a number.
  var rescaled = DiscreteVPSchedule.TerminalSNR.zero
  /// The registered spacing and its parameters, for schedules of trained timesteps.
  var spacing: @Sendable (SchedulerKeys) throws -> (String, [String: String]) = {
    try Self.plainSpacing($0, standard: "leading", more: [:], rounds: true)
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
  /// What the class does to every x̂0.
  var corrections: @Sendable (SchedulerKeys) throws -> [MethodChoice] = { _ in [] }
  /// Whether spacings of noise run between the ends of the plain spacing, and not between those of the trained noise.
  var boundsByTimesteps: @Sendable (SchedulerKeys) throws -> Bool = { _ in false }
  /// Whether `timestep_spacing` is one of diffusers' three; consistency models have one spacing, and files of flow models may name ours.
  var hasPlainSpacing = true
  /// Whether the class has EDM's forward process and preconditioning instead of trained timesteps.
  var isEDM = false
  /// What has no counterpart here.
  var warnings: @Sendable (SchedulerKeys) throws -> [String] = { try Self.unused($0, [:]) }

  private static let all = edm + exponential + euler + classical

  private static let classical = [
    SchedulerKind(
      prefix: "DDIM", endsAtLeastNoise: { try !$0.flag("set_alpha_to_one", true) && !beginsAtLeastNoise($0) },
      warnings: { keys in
        let stays = try !keys.flag("set_alpha_to_one", true) && beginsAtLeastNoise(keys)
        // The class clips where its file says nothing, and thresholds instead of clipping.
        let isClipped = try !keys.flag("thresholding") && keys.flag("clip_sample", true)
        let changes = try unused(keys, ["thresholding": thresholdingReason]) + (isClipped ? [clippingWarning] : [])
        return try changes + unevenSteps(keys) + (stays ? [endsWhereItBeginsWarning] : [])
      }),
    ddpm,
    SchedulerKind(
      prefix: "FlowMatchLCM", parameters: { _ in ["timestep-scaling": "0"] }, hasPlainSpacing: false,
      warnings: { keys in
        let factors = try keys.numbers("scale_factors")
        let grows = "the scheduler's 'scale_factors' has no counterpart here: the picture has one size in all steps"
        return try unused(keys, flowSpacings) + (factors.isEmpty ? [] : [grows])
      }),
    SchedulerKind(
      prefix: "FlowMatch",
      // Jumping to clean data and noising it anew is what a consistency model's sampler does without boundary conditions.
      parameters: { try $0.flag("stochastic_sampling") ? ["timestep-scaling": "0"] : [:] },
      solver: { try $0.flag("stochastic_sampling") ? "lcm" : nil },
      hasPlainSpacing: false, warnings: { try unused($0, flowSpacings) }),
    SchedulerKind(
      prefix: "Heun", betas: latent, interpolation: .sigma, spacing: sigmaOrPlain, boundsByTimesteps: { _ in true },
      warnings: { try unused($0, clipping) }),
    SchedulerKind(
      prefix: "KDPM2", betas: latent, interpolation: .sigma,
      spacing: { try sigmaSpacing($0, karras: ["timestep": "round"]) ?? plainSpacing($0, standard: "linspace", more: [:]) },
      boundsByTimesteps: { _ in true }),
    SchedulerKind(
      prefix: "LCM", betas: scaled, spacing: distilled, parameters: { ["timestep-scaling": "\(try $0.number("timestep_scaling", 10))"] },
      hasPlainSpacing: false, warnings: { try unused($0, clipping) }),
    SchedulerKind(
      prefix: "LMS", interpolation: .sigma,
      spacing: { try sigmaSpacing($0, rangesKarras: false) ?? plainSpacing($0, standard: "linspace", more: [:]) },
      boundsByTimesteps: { _ in true }),
    pndm,
    SchedulerKind(
      prefix: "TCD", betas: scaled, spacing: distilled, endsAtLeastNoise: { _ in true }, hasPlainSpacing: false,
      warnings: { try unused($0, clipping) }),
    // Its solver has no counterpart, its noise has.
    SchedulerKind(prefix: "UnCLIP", betas: (schedule: "squaredcos_cap_v2", start: 0.0001, end: 0.02)),
  ]

  private static let flowSpacings = [
    "invert_sigmas": "time runs from noise to data here", "use_karras_sigmas": "times are spaced evenly",
    "use_exponential_sigmas": "times are spaced evenly", "use_beta_sigmas": "times are spaced evenly",
  ]

  /// diffusers' own choices for some classes.
  private static let latent = (schedule: "linear", start: 0.00085, end: 0.012)
  private static let scaled = (schedule: "scaled_linear", start: 0.00085, end: 0.012)

  private static let ddpm = SchedulerKind(
    prefix: "DDPM",
    parameters: { ["variance": try $0.text("variance_type", "fixed_small").hasPrefix("fixed_large") ? "fixed-large" : "fixed-small"] },
    // The clean data that DDPM's mean is made of are the clipped or thresholded ones.
    corrections: { keys in
      if try keys.flag("thresholding") { return try thresholding(keys) }
      guard try keys.flag("clip_sample", true) else { return [] }
      return [MethodChoice("clip", parameters: ["range": "\(try keys.number("clip_sample_range", 1))"])]
    },
    warnings: { keys in
      let known = ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned", "learned_range"]
      let variance = try keys.choice("variance_type", "fixed_small", allowed: known)
      let learned = "the scheduler's 'variance_type' is '\(variance)'; the network's variance is not used, but the small fixed one"
      return variance.hasPrefix("learned") ? [learned] : []
    })

  private static let pndm = SchedulerKind(
    prefix: "PNDM",
    spacing: { try plainSpacing($0, standard: "leading", more: [:], rounds: true) },
    parameters: { keys in
      [
        "start": try keys.flag("skip_prk_steps") ? "improved-euler" : "runge-kutta",
        "averages": try keys.text("prediction_type", "epsilon") == "v_prediction" ? "v" : "auto", "half-steps": "cut",
      ]
    },
    endsAtLeastNoise: { try !$0.flag("set_alpha_to_one") && !endsWhereItBegins($0) },
    warnings: { keys in
      let stays = try !keys.flag("set_alpha_to_one") && endsWhereItBegins(keys)
      return try unevenSteps(keys) + (stays ? [endsWhereItBeginsWarning] : [])
    })

  /// Of classes whose steps have the length of N/n timesteps, wherever the next one is.
  private static func unevenSteps(_ keys: SchedulerKeys) throws -> [String] {
    guard try keys.text("timestep_spacing", "leading") == "linspace" else { return [] }
    return ["the scheduler's 'timestep_spacing' is 'linspace', with which diffusers steps past the next timestep; here steps end on it"]
  }

  private static let endsWhereItBeginsWarning =
    "the scheduler's last step ends at the level it begins at ('steps_offset' 0); here the run ends at clean data"

  /// Spacings that evaluate the least trained noise, and have no step left to take to it.
  private static func endsWhereItBegins(_ keys: SchedulerKeys) throws -> Bool {
    try keys.text("timestep_spacing", "leading") == "linspace" || beginsAtLeastNoise(keys)
  }

  /// Timesteps that are counted from the least trained one.
  static func beginsAtLeastNoise(_ keys: SchedulerKeys, standard: String = "leading") throws -> Bool {
    try keys.text("timestep_spacing", standard) == "leading" && keys.integer("steps_offset", 0, -1_000_000...1_000_000) == 0
  }

  static let sigmaOrPlain: @Sendable (SchedulerKeys) throws -> (String, [String: String]) = {
    try sigmaSpacing($0) ?? plainSpacing($0, standard: "linspace", more: [:])
  }

  private static let distilled: @Sendable (SchedulerKeys) throws -> (String, [String: String]) = {
    ("lcm", ["original-steps": String(try $0.integer("original_inference_steps", 50, 1...1000))])
  }

  /// Dynamic thresholding, where the file asks for it.
  static let thresholding: @Sendable (SchedulerKeys) throws -> [MethodChoice] = { keys in
    guard try keys.flag("thresholding") else { return [] }
    return [
      MethodChoice(
        "dynamic-threshold",
        parameters: [
          "ratio": "\(try keys.number("dynamic_thresholding_ratio", 0.995))", "max": "\(try keys.number("sample_max_value", 1))",
        ])
    ]
  }

  // Classes whose next state is made of an ε that the change of x̂0 leaves alone, which is not what a correction does here.
  private static let clipping = ["clip_sample": clippingReason, "thresholding": thresholdingReason]
  private static let clippingReason = "x̂0 is clipped by '--correct clip' only"
  private static let thresholdingReason = "x̂0 is thresholded by '--correct' only"
  private static let clippingWarning =
    "the scheduler's 'clip_sample' (true where the file says nothing) has no counterpart here: \(clippingReason)"

  /// The family of a class.
  static func of(_ className: String) -> SchedulerKind { all.first { className.hasPrefix($0.prefix) } ?? SchedulerKind(prefix: "") }

  /// Refuses what diffusers refuses in every class that reads it. A file may hold the `solver_type` of another class, which then counts as
  /// the standard of its own.
  func check(_ keys: SchedulerKeys) throws {
    _ = try keys.choice("solver_type", "midpoint", allowed: ["midpoint", "heun", "bh1", "bh2", "logrho"])
    if hasPlainSpacing {
      _ = try keys.choice("timestep_spacing", "linspace", allowed: ["linspace", "leading", "trailing"])
    }
    let asked = try ["use_beta_sigmas", "use_exponential_sigmas", "use_karras_sigmas"].filter { try keys.flag($0) }
    guard asked.count < 2 else {
      throw FormatError(keys.path, "\(asked.map { "'\($0)'" }.joined(separator: " and ")) are true; noise is spaced in one way")
    }
  }

  /// Whether the last step ends at the least trained noise, and not at clean data.
  static func endsAtMinimum(_ keys: SchedulerKeys) throws -> Bool {
    try keys.choice("final_sigmas_type", "zero", allowed: ["zero", "sigma_min"]) == "sigma_min"
  }

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
  /// - Parameter rangesKarras: whether the class's Karras spacing looks for `sigma_min` and `sigma_max`.
  static func sigmaSpacing(
    _ keys: SchedulerKeys, karras: [String: String] = [:], others: [String: String] = [:], rangesKarras: Bool = true
  ) throws -> (String, [String: String])? {
    var range: [String: String] = [:]
    for (key, ours) in [("sigma_min", "sigma-min"), ("sigma_max", "sigma-max")] where keys.has(key) {
      range[ours] = String(try keys.number(key, 0))
    }
    if try keys.flag("use_karras_sigmas") { return ("karras", rangesKarras ? karras.merging(range) { $1 } : karras) }
    if try keys.flag("use_exponential_sigmas") { return ("exponential", others.merging(range) { $1 }) }
    if try keys.flag("use_beta_sigmas") { return ("beta", others.merging(range) { $1 }) }
    return nil
  }

  /// Flags that are set and have no effect here.
  static func unused(_ keys: SchedulerKeys, _ flags: [String: String]) throws -> [String] {
    try flags.sorted { $0.key < $1.key }.compactMap { key, reason in
      try keys.flag(key) ? "the scheduler's '\(key)' has no counterpart here: \(reason)" : nil
    }
  }
}
