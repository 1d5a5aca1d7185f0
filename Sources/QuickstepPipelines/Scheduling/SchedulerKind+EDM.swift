import QuickstepDiffusion
import QuickstepFormats

extension SchedulerKind {
  /// The families with a continuous σ, α = 1, and the network inside EDM's preconditioning.
  static let edm = [
    SchedulerKind(prefix: "EDMEuler", spacing: edmSpacing, endsAtLeastNoise: edmEnd, isEDM: true, warnings: edmWarnings),
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
      endsAtLeastNoise: edmEnd,
      solver: { keys in
        let order = try order(keys)
        if order == 1 { return "ddim" }
        return try algorithm(keys).hasPrefix("sde") ? "sde-dpm++" : "dpm++-\(order)m"
      }, corrections: thresholding, isEDM: true,
      warnings: { keys in
        let known = ["dpmsolver++", "sde-dpmsolver++", "deis"]
        let name = try keys.text("algorithm_type", "dpmsolver++")
        guard known.contains(name) else {
          throw FormatError(keys.path, "'algorithm_type' is '\(name)'; supported: dpmsolver++, sde-dpmsolver++")
        }
        return try edmWarnings(keys)
      }),
  ]

  /// The forward process and what the network predicts.
  static func edmProcess(_ keys: SchedulerKeys) throws -> (EDMSchedule, Parametrisation) {
    let schedule = try EDMSchedule(sigmaMin: try keys.number("sigma_min", 0.002), sigmaMax: try keys.number("sigma_max", 80))
    let data = try keys.number("sigma_data", 0.5)
    guard data > 0, data.isFinite else { throw FormatError(keys.path, "'sigma_data' is \(data); allowed: above 0") }
    switch try keys.text("prediction_type", "epsilon") {
    case "epsilon": return (schedule, .edm(sigmaData: data))
    case "v_prediction": return (schedule, .edmVelocity(sigmaData: data))
    case let name: throw FormatError(keys.path, "'prediction_type' is '\(name)'; supported here: epsilon, v_prediction")
    }
  }

  private static let edmSpacing: @Sendable (SchedulerKeys) throws -> (String, [String: String]) = { keys in
    switch try keys.text("sigma_schedule", "karras") {
    case "karras": return ("karras", ["rho": "\(try keys.number("rho", 7))"])
    case "exponential": return ("exponential", [:])
    case let name: throw FormatError(keys.path, "'sigma_schedule' is '\(name)'; supported: karras, exponential")
    }
  }

  private static let edmEnd: @Sendable (SchedulerKeys) throws -> Bool = { try $0.text("final_sigmas_type", "zero") == "sigma_min" }

  private static let edmWarnings: @Sendable (SchedulerKeys) throws -> [String] = { keys in
    guard try edmEnd(keys) else { return [] }
    return ["the scheduler's last step goes nowhere ('final_sigmas_type' is 'sigma_min'); here all steps lead to the least noise"]
  }
}
