public import QuickstepDiffusion
internal import QuickstepFormats
public import QuickstepModels
internal import QuickstepNN

/// What a model folder's `scheduler_config.json` says about the forward process: the noise schedule, what the network predicts, and the
/// spacing it was meant to be sampled with. The solver itself is the user's choice.
public struct SchedulerConfiguration: Sendable {
  /// The forward process the network was trained on.
  public let schedule: any NoiseSchedule
  /// What the network's output means: `prediction_type`.
  public let parametrisation: Parametrisation
  /// Name of the registered spacing, and its parameters.
  public let spacing: String
  /// Parameter texts by name: `offset` of `leading`, from `steps_offset`; otherwise empty.
  public let spacingParameters: [String: String]
  /// The registered solver that stands for the scheduler's class, or `dpm++-2m` where there is none yet; `nil` for files without a class.
  public let solver: String?
  /// The scheduler's class where no registered solver stands for it.
  public let missingSolver: String?
  /// Where a run with ``solver`` ends, if the file says so: at the least trained noise (`set_alpha_to_one` false).
  private let endsAtLeastNoise: Bool

  /// ``spacingParameters``, and what the file says of the scheduler's own solver.
  public func spacingParameters(for solver: String) -> [String: String] {
    guard endsAtLeastNoise, solver == self.solver else { return spacingParameters }
    return spacingParameters.merging(["final": FinalLevel.smallest.rawValue]) { given, _ in given }
  }

  /// Reads a configuration in diffusers' words.
  /// - Throws: `FormatError` naming the file, the key and the value; `ScheduleError` for impossible numbers.
  public init(path: String) throws { try self.init(ConfigurationFile(path: path)) }

  /// Reads a configuration in diffusers' words, wherever it comes from.
  /// - Throws: `FormatError` naming the file, the key and the value; `ScheduleError` for impossible numbers.
  public init(_ file: ConfigurationFile) throws {
    let path = file.path
    let members = file.members
    func text(_ key: String, _ standard: String) throws -> String {
      guard let value = members[key], value != .null else { return standard }
      guard let text = value.string else { throw FormatError(path, "'\(key)' is not a string") }
      return text
    }
    func number(_ key: String, _ standard: Double) throws -> Double {
      guard let value = members[key], value != .null else { return standard }
      guard let number = value.double else { throw FormatError(path, "'\(key)' is not a number") }
      return number
    }
    func integer(_ key: String, _ standard: Int, _ allowed: ClosedRange<Int>) throws -> Int {
      guard let value = Int(exactly: try number(key, Double(standard))), allowed.contains(value) else {
        throw FormatError(path, "'\(key)' is not a whole number of \(allowed.lowerBound)…\(allowed.upperBound)")
      }
      return value
    }
    let steps = try integer("num_train_timesteps", 1000, 2...1_000_000)
    let className = file.className ?? ""
    let match = try? AllSolvers.named(className)
    solver = className.isEmpty ? nil : match?.solver.declaration.name ?? "dpm++-2m"
    missingSolver = match == nil && !className.isEmpty ? className : nil
    endsAtLeastNoise = className == "DDIMScheduler" && members["set_alpha_to_one"]?.bool == false
    if className.hasPrefix("FlowMatch") {
      schedule = try FlowSchedule(shift: try number("shift", 1), trainedTimes: steps)
      parametrisation = try Parametrisation.named(try text("prediction_type", "flow_prediction"))
      spacing = try text("timestep_spacing", "linspace")
      spacingParameters = [:]
      return
    }
    let betas: BetaSchedule
    if let value = members["trained_betas"], value != .null {
      guard let trained = value.array else { throw FormatError(path, "'trained_betas' is not a list of numbers") }
      betas = .trained(
        try trained.map { value in
          guard let beta = value.double else { throw FormatError(path, "'trained_betas' holds something that is not a number") }
          return beta
        })
    } else {
      betas = try .named(
        try text("beta_schedule", "linear"), start: try number("beta_start", 0.0001), end: try number("beta_end", 0.02))
    }
    let flag = members["rescale_betas_zero_snr"] ?? .bool(false)
    guard let rescaled = flag.bool else { throw FormatError(path, "'rescale_betas_zero_snr' is neither true nor false") }
    schedule = try DiscreteVPSchedule(betas, trainSteps: steps, terminalSNR: rescaled ? .zero : .trained)
    parametrisation = try Parametrisation.named(try text("prediction_type", "epsilon"))
    spacing = try text("timestep_spacing", "leading")
    let offset = try integer("steps_offset", 0, -1_000_000...1_000_000)
    spacingParameters = spacing == "leading" && offset != 0 ? ["offset": String(offset)] : [:]
  }
}
