import QuickstepDiffusion
import QuickstepFormats

/// What a scheduler's file says of noise levels: how they were trained and how they are spaced.
struct ScheduledLevels {
  let schedule: any NoiseSchedule
  let parametrisation: Parametrisation
  let process: ForwardProcess
  /// Name and parameters.
  let spacing: (String, [String: String])
  private(set) var dynamicShift: DynamicShift?
  private(set) var bounds: SpacingBounds?
  /// Whether the class itself takes no step from the least noise, so that none is left out here.
  private(set) var endsByItself = false

  init(_ keys: SchedulerKeys, _ kind: SchedulerKind, className: String, flowSpacing: String) throws {
    let steps = try keys.integer("num_train_timesteps", 1000, 2...1_000_000)
    switch try ForwardProcess.Kind(keys, kind, className: className) {
    case .edm where kind.isEDM:
      let (edm, predicted) = try SchedulerKind.edmProcess(keys)
      schedule = edm
      parametrisation = predicted
      process = ForwardProcess(edm: predicted)
      spacing = try kind.spacing(keys)
    case .flow where className.hasPrefix("FlowMatch"):
      dynamicShift = try DynamicShift(keys)
      schedule = try FlowSchedule(shift: try keys.number("shift", 1), trainedTimes: steps)
      parametrisation = try Parametrisation.named(try keys.text("prediction_type", "flow_prediction"))
      process = ForwardProcess(flowOf: steps, predicts: parametrisation)
      spacing = (try keys.text("timestep_spacing", flowSpacing), try SchedulerKind.terminal(keys))
    case .flow:
      let (flow, name, parameters) = try kind.flow(keys, steps)
      schedule = flow
      spacing = (name, parameters)
      parametrisation = try Parametrisation.named(try keys.text("prediction_type", "epsilon"))
      process = ForwardProcess(flowOf: steps, predicts: parametrisation)
    case .edm, .timesteps:
      let trained = try Self.trained(keys, kind, steps: steps)
      spacing = try kind.spacing(keys)
      bounds = try SpacingBounds(keys, kind, spacing: spacing.0, of: trained)
      // Euler's levels between those of timesteps.
      endsByItself = try SchedulerKind.sigmaSpacing(keys) == nil && !keys.flag("use_lu_lambdas")
      if try SchedulerKind.isContinuous(keys) {
        schedule = try SchedulerKind.continuousProcess(keys, trained)
        parametrisation = .edmVelocity(sigmaData: 1)
        process = ForwardProcess(edm: parametrisation)
      } else {
        schedule = trained
        parametrisation = try Parametrisation.named(try keys.text("prediction_type", "epsilon"))
        process = try ForwardProcess(keys, kind, steps: steps, predicts: parametrisation)
      }
    }
  }

  private static func trained(_ keys: SchedulerKeys, _ kind: SchedulerKind, steps: Int) throws -> DiscreteVPSchedule {
    let betas: BetaSchedule =
      try keys.betas().map { .trained($0) }
      ?? .named(
        try keys.text("beta_schedule", kind.betas.schedule), start: try keys.number("beta_start", kind.betas.start),
        end: try keys.number("beta_end", kind.betas.end))
    let terminal: DiscreteVPSchedule.TerminalSNR = try keys.flag("rescale_betas_zero_snr") ? kind.rescaled : .trained
    return try DiscreteVPSchedule(betas, trainSteps: steps, terminalSNR: terminal, interpolation: kind.interpolation)
  }
}

/// The plain spacing whose first and last timestep are the ends of a spacing of noise: Karras' between the noise of timesteps 951 and 1,
/// say, where a file asks for both `use_karras_sigmas` and `leading` timesteps.
struct SpacingBounds: Sendable {
  /// Spacings that have such ends.
  static let bounded = ["karras", "exponential", "beta"]

  private let name: String
  private let parameters: [String: String]
  private let schedule: DiscreteVPSchedule

  /// `nil` where the ends are those of the trained noise.
  init?(_ keys: SchedulerKeys, _ kind: SchedulerKind, spacing: String, of schedule: DiscreteVPSchedule) throws {
    guard Self.bounded.contains(spacing), try kind.boundsByTimesteps(keys) else { return nil }
    (name, parameters) = try SchedulerKind.plainSpacing(keys, standard: "linspace", more: [:])
    guard name != "linspace" else { return nil }
    self.schedule = schedule
  }

  /// Parameters of the spacing of noise.
  func range(steps: Int) throws -> [String: String] {
    let times = try AllGrids.make(name, parameters).grid(schedule: schedule, steps: steps).levels.dropLast()
    guard let first = times.first, let last = times.last else { return [:] }
    let most = ["sigma-max": "\(schedule.frame.coordinate(first))"]
    return times.count == 1 ? most : most.merging(["sigma-min": "\(schedule.frame.coordinate(last))"]) { $1 }
  }
}

extension ForwardProcess.Kind {
  /// What a class makes of a file's settings.
  init(_ keys: SchedulerKeys, _ kind: SchedulerKind, className: String) throws {
    if kind.isEDM {
      self = .edm
    } else if try className.hasPrefix("FlowMatch") || keys.flag("use_flow_sigmas") {
      self = .flow
    } else {
      self = try SchedulerKind.isContinuous(keys) ? .edm : .timesteps
    }
  }
}
