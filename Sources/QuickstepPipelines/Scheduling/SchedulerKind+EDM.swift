import QuickstepDiffusion
import QuickstepFormats

extension SchedulerKind {
  /// The families with a continuous σ, α = 1, and the network inside EDM's preconditioning.
  static let edm = [
    SchedulerKind(
      prefix: "EDMEuler", spacing: edmSpacing, endsAtLeastNoise: { try endsAtMinimum($0) }, isEDM: true, warnings: edmWarnings),
    SchedulerKind(
      prefix: "EDMDPMSolverMultistep", spacing: edmSpacing,
      parameters: { keys in
        let sde = try algorithm(keys).hasPrefix("sde")
        let order = try order(keys)
        if order == 1 { return sde ? ["eta": "1"] : [:] }
        var parameters = [
          "variant": try variant(keys), "lower-order-final": String(try keys.flag("lower_order_final", true)),
          "euler-at-final": String(try keys.flag("euler_at_final")),
        ]
        if sde { parameters.merge(["order": String(order), "eta": "1"]) { $1 } }
        return parameters
      },
      endsAtLeastNoise: { try endsAtMinimum($0) },
      solver: { keys in
        let order = try order(keys)
        if order == 1 { return "ddim" }
        return try algorithm(keys).hasPrefix("sde") ? "sde-dpm++" : "dpm++-\(order)m"
      }, corrections: thresholding, isEDM: true,
      warnings: { keys in
        // A configuration that was DEIS's before is taken as this class's standard.
        _ = try keys.choice("algorithm_type", "dpmsolver++", allowed: ["dpmsolver++", "sde-dpmsolver++", "deis"])
        return try edmWarnings(keys)
      }),
  ]

  /// The forward process and what the network predicts.
  static func edmProcess(_ keys: SchedulerKeys) throws -> (EDMSchedule, Parametrisation) {
    let schedule = try EDMSchedule(sigmaMin: try keys.number("sigma_min", 0.002), sigmaMax: try keys.number("sigma_max", 80))
    let data = try keys.number("sigma_data", 0.5)
    guard data > 0, data.isFinite else { throw FormatError(keys.path, "'sigma_data' is \(data); allowed: above 0") }
    let prediction = try keys.choice("prediction_type", "epsilon", allowed: ["epsilon", "v_prediction"])
    return (schedule, prediction == "epsilon" ? .edm(sigmaData: data) : .edmVelocity(sigmaData: data))
  }

  private static let edmSpacing: @Sendable (SchedulerKeys) throws -> (String, [String: String]) = { keys in
    let name = try keys.choice("sigma_schedule", "karras", allowed: ["karras", "exponential"])
    guard name == "karras" else { return (name, [:]) }
    return (name, ["rho": "\(try keys.number("rho", 7))"])
  }

  private static let edmWarnings: @Sendable (SchedulerKeys) throws -> [String] = { keys in
    guard try endsAtMinimum(keys) else { return [] }
    return ["the scheduler's last step goes nowhere ('final_sigmas_type' is 'sigma_min'); here all steps lead to the least noise"]
  }
}
