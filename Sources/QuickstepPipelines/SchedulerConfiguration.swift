public import QuickstepDiffusion
internal import QuickstepFormats
public import QuickstepModels
internal import QuickstepNN

/// What a model folder's `scheduler_config.json` says: the forward process, what the network predicts, the spacing it was meant to be
/// sampled with, and the solver with its settings, which is used where the user names none.
public struct SchedulerConfiguration: Sendable {
  /// The forward process the network was trained on; see ``schedule(tokens:)``.
  public let schedule: any NoiseSchedule
  /// What the network's output means: `prediction_type`.
  public let parametrisation: Parametrisation
  /// Name of the registered spacing, and its parameters.
  public let spacing: String
  /// Parameter texts by name, such as `offset` of `leading` from `steps_offset`.
  public let spacingParameters: [String: String]
  /// The registered solver that stands for the scheduler's class, or `dpm++-2m` where there is none yet; `nil` for files without a class.
  public let solver: String?
  /// The scheduler's class where no registered solver stands for it.
  public let missingSolver: String?
  /// Settings of the file that have no counterpart here, in sentences for the user.
  public let warnings: [String]
  /// What the file's scheduler does to every x̂0, such as thresholding; for runs with ``solver``.
  public let corrections: [MethodChoice]
  /// Parameters of ``solver``.
  private let ownParameters: [String: String]
  /// Where a run with ``solver`` ends, if the file says so: at the least trained noise.
  private let endsAtLeastNoise: Bool
  private let dynamicShift: DynamicShift?

  /// ``spacingParameters``, and what the file says of the scheduler's own solver.
  public func spacingParameters(for solver: String) -> [String: String] {
    guard endsAtLeastNoise, solver == self.solver else { return spacingParameters }
    return spacingParameters.merging(["final": FinalLevel.smallest.rawValue]) { given, _ in given }
  }

  /// What the file says of the parameters of its own solver; nothing for others.
  public func solverParameters(for solver: String) -> [String: String] { solver == self.solver ? ownParameters : [:] }

  /// The forward process for a picture that is a sequence of this length to a transformer: ``schedule``, or with a shift for that length.
  /// - Throws: `ScheduleError` for lengths below 1 and shifts that are not above 0.
  public func schedule(tokens: Int) throws -> any NoiseSchedule {
    guard let dynamicShift, let flow = schedule as? FlowSchedule else { return schedule }
    return try FlowSchedule(
      shift: dynamicShift.shift(tokens: tokens), isDynamic: true, trainedTimes: flow.trainedTimes, timestepScale: flow.timestepScale)
  }

  /// Reads a file in diffusers' words; see ``init(_:flowSpacing:)``.
  public init(path: String, flowSpacing: String = "linspace") throws {
    try self.init(ConfigurationFile(path: path), flowSpacing: flowSpacing)
  }

  /// Reads a configuration in diffusers' words, wherever it comes from.
  /// - Parameters:
  ///   - file: the configuration.
  ///   - flowSpacing: the spacing of flow-matching schedulers where the file names none; it is the pipeline's choice there.
  /// - Throws: `FormatError` naming the file, the key and the value; `ScheduleError` for impossible numbers.
  public init(_ file: ConfigurationFile, flowSpacing: String = "linspace") throws {
    let keys = SchedulerKeys(path: file.path, members: file.members)
    let steps = try keys.integer("num_train_timesteps", 1000, 2...1_000_000)
    let className = file.className ?? ""
    let match = try? AllSolvers.named(className)
    let kind = SchedulerKind.of(className)
    solver = className.isEmpty ? nil : try kind.solver(keys) ?? match?.solver.declaration.name ?? "dpm++-2m"
    missingSolver = match == nil && !className.isEmpty ? className : nil
    (ownParameters, warnings) = (try kind.parameters(keys), try kind.warnings(keys))
    endsAtLeastNoise = try kind.endsAtLeastNoise(keys)
    corrections = try kind.corrections(keys)
    if kind.isEDM {
      dynamicShift = nil
      let edm: EDMSchedule
      (edm, parametrisation) = try SchedulerKind.edmProcess(keys)
      schedule = edm
      (spacing, spacingParameters) = try kind.spacing(keys)
      return
    }
    if className.hasPrefix("FlowMatch") {
      dynamicShift = try DynamicShift(keys)
      schedule = try FlowSchedule(shift: try keys.number("shift", 1), trainedTimes: steps)
      parametrisation = try Parametrisation.named(try keys.text("prediction_type", "flow_prediction"))
      spacing = try keys.text("timestep_spacing", flowSpacing)
      spacingParameters = try SchedulerKind.terminal(keys)
      return
    }
    dynamicShift = nil
    parametrisation = try Parametrisation.named(try keys.text("prediction_type", "epsilon"))
    if try keys.flag("use_flow_sigmas") {
      let flow: FlowSchedule
      (flow, spacing, spacingParameters) = try kind.flow(keys, steps)
      schedule = flow
      return
    }
    let betas: BetaSchedule =
      try keys.betas().map { .trained($0) }
      ?? .named(
        try keys.text("beta_schedule", kind.betas.schedule), start: try keys.number("beta_start", kind.betas.start),
        end: try keys.number("beta_end", kind.betas.end))
    let terminal: DiscreteVPSchedule.TerminalSNR = try keys.flag("rescale_betas_zero_snr") ? kind.rescaled : .trained
    schedule = try DiscreteVPSchedule(betas, trainSteps: steps, terminalSNR: terminal, interpolation: kind.interpolation)
    (spacing, spacingParameters) = try kind.spacing(keys)
  }
}
