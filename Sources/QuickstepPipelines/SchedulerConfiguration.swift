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
  /// What of it belongs to the network.
  let process: ForwardProcess
  /// What it was read from.
  let file: ConfigurationFile
  /// Parameters of ``solver``.
  private let ownParameters: [String: String]
  /// Where a run with ``solver`` ends, if the file says so: at the least trained noise.
  private let endsAtLeastNoise: Bool
  private let dynamicShift: DynamicShift?
  private let bounds: SpacingBounds?
  private let flowSpacing: String

  /// ``spacingParameters``, and what the file says of the scheduler's own solver.
  public func spacingParameters(for solver: String) -> [String: String] {
    guard endsAtLeastNoise, solver == self.solver else { return spacingParameters }
    return spacingParameters.merging(["final": FinalLevel.smallest.rawValue]) { given, _ in given }
  }

  /// The same for a number of steps, on which the range of noise depends that some classes space in their own way.
  /// - Throws: `GridError` when the timesteps that bound the range do not exist.
  public func spacingParameters(for solver: String, steps: Int) throws -> [String: String] {
    try spacingParameters(for: solver).merging(bounds?.range(steps: steps) ?? [:]) { given, _ in given }
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
    let className = file.className ?? ""
    try SchedulerClasses.checkNoise(of: className, path: file.path)
    let keys = SchedulerKeys(path: file.path, members: SchedulerClasses.members(file.members, readBy: className))
    let kind = SchedulerKind.of(className)
    try kind.check(keys)
    let match = try? AllSolvers.named(className)
    (self.file, self.flowSpacing) = (file, flowSpacing)
    solver = className.isEmpty ? nil : try kind.solver(keys) ?? match?.solver.declaration.name ?? "dpm++-2m"
    missingSolver = match == nil && !className.isEmpty ? className : nil
    ownParameters = try kind.parameters(keys)
    endsAtLeastNoise = try kind.endsAtLeastNoise(keys)
    corrections = try kind.corrections(keys)
    let levels = try ScheduledLevels(keys, kind, className: className, flowSpacing: flowSpacing)
    (schedule, parametrisation, process) = (levels.schedule, levels.parametrisation, levels.process)
    (spacing, spacingParameters) = levels.spacing
    (dynamicShift, bounds) = (levels.dynamicShift, levels.bounds)
    let isEmptyAtEnd = endsAtLeastNoise && !kind.isEDM && SpacingBounds.bounded.contains(levels.spacing.0) && !levels.endsByItself
    let foreign = SchedulerClasses.foreign(file.members, to: className).map { key in
      "'\(key)' in \(file.path) is a setting of no scheduler and has no effect"
    }
    warnings = try foreign + kind.warnings(keys) + (isEmptyAtEnd ? [SchedulerKind.emptyStepWarning] : [])
  }
}

extension SchedulerConfiguration {
  /// What another class makes of this file's settings: those that it knows, its own standard for the others, as diffusers'
  /// `CLASS.from_config(scheduler.config)`.
  /// - Parameter className: a class of ``SchedulerClasses/settings``.
  /// - Returns: `nil` where the class's forward process is of another kind, which this network was not trained on.
  /// - Throws: as ``init(_:flowSpacing:)``.
  package func switched(to className: String) throws -> SchedulerConfiguration? {
    let members = file.members.merging(["_class_name": .string(className)]) { $1 }
    let keys = SchedulerKeys(path: file.path, members: SchedulerClasses.members(members, readBy: className))
    guard try ForwardProcess.Kind(keys, SchedulerKind.of(className), className: className) == process.kind else { return nil }
    return try SchedulerConfiguration(ConfigurationFile(path: file.path, members: members), flowSpacing: flowSpacing)
  }

  /// Another file in the place of this one: it counts as a whole, as diffusers' `pipe.scheduler = CLASS.from_pretrained(folder)`.
  /// - Parameter prediction: what the user said that the network predicts.
  /// - Throws: `FormatError` where it is for networks of another kind; as ``init(_:flowSpacing:)``.
  func replaced(by other: ConfigurationFile, prediction: String?) throws -> SchedulerConfiguration {
    let members = prediction.map { other.members.merging(["prediction_type": .string($0)]) { $1 } } ?? other.members
    let read = try SchedulerConfiguration(ConfigurationFile(path: other.path, members: members), flowSpacing: flowSpacing)
    guard read.process.kind == process.kind else {
      throw FormatError(
        other.path,
        "is the scheduler of a network that was trained on \(read.process.kind.rawValue), this model's was on \(process.kind.rawValue)")
    }
    return read
  }
}
