import QuickstepDiffusion
import QuickstepFormats

/// What of a scheduler's file belongs to the network, and not to how it is sampled: the noise it was trained on and what it predicts.
struct ForwardProcess: Sendable, Hashable {
  enum Kind: String, Sendable { case timesteps = "trained timesteps", flow = "straight paths (flow)", edm = "EDM's noise" }

  let kind: Kind
  /// Texts by the file's keys, standard values of the class included.
  private(set) var values: [String: String] = [:]

  init(flowOf steps: Int, predicts: Parametrisation) {
    kind = .flow
    values = ["num_train_timesteps": "\(steps)", "prediction_type": "\(predicts)"]
  }

  init(edm parametrisation: Parametrisation) {
    kind = .edm
    values = ["prediction_type": "\(parametrisation)"]
  }

  init(_ keys: SchedulerKeys, _ kind: SchedulerKind, steps: Int, predicts: Parametrisation) throws {
    self.kind = .timesteps
    values = ["num_train_timesteps": "\(steps)", "prediction_type": "\(predicts)"]
    values["rescale_betas_zero_snr"] = try keys.flag("rescale_betas_zero_snr") ? "true" : "false"
    if let betas = try keys.betas() {
      values["trained_betas"] = betas.map { "\($0)" }.joined(separator: ",")
      return
    }
    let schedule = try BetaSchedule.named(try keys.text("beta_schedule", kind.betas.schedule))
    values["beta_schedule"] = schedule.description
    guard schedule.hasEnds else { return }
    values["beta_start"] = "\(try keys.number("beta_start", kind.betas.start))"
    values["beta_end"] = "\(try keys.number("beta_end", kind.betas.end))"
  }

  /// Where it is another one than the model's own, in sentences for the user.
  func differences(from own: ForwardProcess) -> [String] {
    let keys = Set(values.keys).union(own.values.keys).sorted().filter { values[$0] != own.values[$0] }
    func shown(_ value: String?) -> String {
      guard let value else { return "without effect" }
      return value.count > 40 ? "\(value.prefix(40))…" : value
    }
    return keys.map {
      "the scheduler's '\($0)' is \(shown(values[$0])), that of the model's own scheduler file \(shown(own.values[$0])); "
        + "the former counts, as in diffusers, though it belongs to how the network was trained"
    }
  }
}
