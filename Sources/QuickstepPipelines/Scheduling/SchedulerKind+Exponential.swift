import QuickstepDiffusion
import QuickstepFormats

extension SchedulerKind {
  /// The families whose classes are exponential integrators.
  static let exponential = [multistep, singlestep, sde, unipc, deis]

  private static let multistep = SchedulerKind(
    prefix: "DPMSolverMultistep", rescaled: .nearZero, spacing: { try shared($0, roundsAlways: false) },
    parameters: { keys in
      let (order, algorithm) = try (order(keys), algorithm(keys))
      if algorithm == "sde-dpmsolver", order == 1 { return ["order": "1", "eta": "1"] }
      if order == 1 { return algorithm.hasPrefix("sde") ? ["eta": "1"] : [:] }
      var parameters = [
        "variant": try variant(keys), "lower-order-final": String(try keys.flag("lower_order_final", true)),
        "euler-at-final": String(try keys.flag("euler_at_final")),
      ]
      if algorithm == "dpmsolver++" { return parameters }
      parameters["order"] = String(order)
      if algorithm == "sde-dpmsolver" { parameters["eta"] = "1" }
      return parameters
    },
    endsAtLeastNoise: { try endsAtMinimum($0) && !$0.flag("use_flow_sigmas") },
    solver: { keys in
      let (order, algorithm) = try (order(keys), algorithm(keys))
      // With noise the first-order steps on the two predictions are different ones.
      if order == 1, algorithm != "sde-dpmsolver" { return "ddim" }
      switch algorithm {
      case "dpmsolver++": return order == 2 ? "dpm++-2m" : "dpm++-3m"
      case "sde-dpmsolver++": return "sde-dpm++"
      default: return "dpm-multistep"
      }
    },
    corrections: thresholding,
    warnings: { keys in
      var result: [String] = []
      if keys.members["lambda_min_clipped"]?.double != nil {
        result.append("the scheduler's 'lambda_min_clipped' has no counterpart here: a run begins at the most trained noise")
      }
      if try algorithm(keys) == "sde-dpmsolver++", try order(keys) == 3 {
        result.append("the scheduler's third-order step with noise has a term that does not vanish in small steps; the exact one is used")
      }
      return try result + flowWarnings(keys)
    })

  private static let singlestep = SchedulerKind(
    prefix: "DPMSolverSinglestep",
    spacing: { keys in
      try lambdaSpacing(keys, rounds: true)
        ?? ("linspace", ["skip-last": "true", "round": "true"])
    },
    parameters: { keys in
      let (order, algorithm) = try (order(keys), algorithm(keys))
      if order == 1 { return algorithm.hasPrefix("sde") ? ["eta": "1"] : [:] }
      // A list that ends at high order cannot end at clean data.
      let lowers = try keys.flag("lower_order_final") || !endsAtMinimum(keys)
      var parameters = ["variant": try variant(keys), "stages": "grid", "blocks": lowers ? "lowered" : "fixed"]
      if algorithm == "dpmsolver" { parameters["order"] = String(order) }
      if algorithm.hasPrefix("sde") { parameters["eta"] = "1" }
      return parameters
    },
    endsAtLeastNoise: { try endsAtMinimum($0) && !$0.flag("use_flow_sigmas") },
    solver: { keys in
      let order = try order(keys)
      if order == 1 { return "ddim" }
      return try algorithm(keys) == "dpmsolver" ? "dpm-singlestep" : "dpm++-\(order)s"
    },
    corrections: thresholding,
    warnings: { keys in
      _ = try keys.choice("algorithm_type", "dpmsolver++", allowed: ["dpmsolver", "dpmsolver++", "sde-dpmsolver++", "deis"])
      var result: [String] = []
      if keys.members["lambda_min_clipped"]?.double != nil {
        result.append("the scheduler's 'lambda_min_clipped' has no counterpart here: a run begins at the most trained noise")
      }
      if try algorithm(keys).hasPrefix("sde"), try order(keys) == 3, try variant(keys) == "taylor" {
        result.append("the scheduler's third-order step with noise has a term that does not vanish in small steps; the exact one is used")
      }
      return try result + flowWarnings(keys)
    })

  private static let sde = SchedulerKind(
    prefix: "DPMSolverSDE", betas: (schedule: "linear", start: 0.00085, end: 0.012), interpolation: .sigma,
    spacing: { try sigmaSpacing($0, rangesKarras: false) ?? plainSpacing($0, standard: "linspace", more: [:]) },
    boundsByTimesteps: { _ in true })

  private static let unipc = SchedulerKind(
    prefix: "UniPC", rescaled: .nearZero, spacing: { try shared($0, roundsAlways: true) },
    parameters: { keys in
      [
        "order": String(try order(keys)), "variant": try keys.text("solver_type", "bh2") == "bh1" ? "bh1" : "bh2",
        "prediction": try keys.flag("predict_x0", true) ? "denoised" : "epsilon",
        "lower-order-final": String(try keys.flag("lower_order_final", true)),
        "disable-corrector": "[" + (try keys.integers("disable_corrector")).map(String.init).joined(separator: ",") + "]",
      ]
    },
    endsAtLeastNoise: { try endsAtMinimum($0) && !$0.flag("use_flow_sigmas") },
    // From (nearly) pure noise to the least trained time, and then to clean data.
    flow: { keys, steps in
      let schedule = try FlowSchedule(
        shift: try keys.number("flow_shift", 1), isDynamic: true, trainedTimes: steps, timestepScale: Double(steps),
        largestSigma: 1 - 1e-6, tellsWholeTimesteps: true)
      return (schedule, "linspace", ["skip-last": "true"].merging(try terminal(keys)) { $1 })
    },
    // With a polynomial of ε the class thresholds nothing.
    corrections: { try $0.flag("predict_x0", true) ? thresholding($0) : [] },
    warnings: { keys in
      var result = try keys.flag("predict_x0", true) ? [] : unused(keys, ["thresholding": "x̂0 is not thresholded with predict_x0=false"])
      // diffusers can be given another scheduler here, but cannot write one into a file.
      if keys.has("solver_p") {
        result.append("the scheduler's 'solver_p' has no counterpart here: the predictor is UniP (see solver unic)")
      }
      return try result + flowWarnings(keys)
    })

  private static let deis = SchedulerKind(
    prefix: "DEIS", spacing: { try shared($0, roundsAlways: true) },
    parameters: { keys in
      ["order": String(try order(keys)), "lower-order-final": String(try keys.flag("lower_order_final", true))]
    },
    endsAtLeastNoise: { try !$0.flag("use_flow_sigmas") }, corrections: thresholding,
    warnings: { keys in
      _ = try keys.choice("algorithm_type", "deis", allowed: ["deis", "dpmsolver", "dpmsolver++"])
      let stays = "the scheduler's last step goes nowhere with 'use_flow_sigmas'; here the run ends at clean data"
      return try flowWarnings(keys) + (keys.flag("use_flow_sigmas") ? [stays] : [])
    })

  /// The last evaluated time of a flow model, where the file fixes it.
  static func terminal(_ keys: SchedulerKeys) throws -> [String: String] {
    let terminal = try keys.number("shift_terminal", 0)
    return terminal == 0 ? [:] : ["terminal": "\(terminal)"]
  }

  /// Spacings of noise, where the file asks for one; timesteps are whole numbers. Of Karras' and Lu's together the class takes Karras'.
  private static func lambdaSpacing(_ keys: SchedulerKeys, rounds: Bool) throws -> (String, [String: String])? {
    let rounding = ["timestep": rounds ? "round" : "floor"]
    if try keys.flag("use_lu_lambdas"), try !keys.flag("use_karras_sigmas") { return ("exponential", rounding) }
    return try sigmaSpacing(keys, karras: rounding, others: ["timestep": "floor"])
  }

  /// The spaced points are one more than the steps, and whole timesteps.
  private static func shared(_ keys: SchedulerKeys, roundsAlways: Bool) throws -> (String, [String: String]) {
    let rounds = try roundsAlways || keys.text("beta_schedule", "linear") != "squaredcos_cap_v2"
    return try lambdaSpacing(keys, rounds: rounds)
      ?? plainSpacing(keys, standard: "linspace", more: ["skip-last": "true"], rounds: true)
  }

  static func order(_ keys: SchedulerKeys) throws -> Int { try keys.integer("solver_order", 2, 1...3) }

  static func variant(_ keys: SchedulerKeys) throws -> String {
    try keys.text("solver_type", "midpoint") == "heun" ? "taylor" : "midpoint"
  }

  static func algorithm(_ keys: SchedulerKeys) throws -> String {
    let known = ["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++", "deis"]
    let name = try keys.choice("algorithm_type", "dpmsolver++", allowed: known)
    // A configuration that was DEIS's before.
    return name == "deis" ? "dpmsolver++" : name
  }

  private static let flowWarnings: @Sendable (SchedulerKeys) throws -> [String] = { keys in
    guard try keys.flag("use_flow_sigmas") else { return [] }
    let spacings = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"]
    var result = try unused(keys, Dictionary(uniqueKeysWithValues: spacings.map { ($0, "flow times are spaced evenly") }))
    if try keys.flag("use_dynamic_shifting") {
      result.append("the scheduler's 'use_dynamic_shifting' has no counterpart here: 'flow_shift' is used")
    }
    return result
  }
}
