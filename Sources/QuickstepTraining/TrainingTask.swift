public import QuickstepNN
public import QuickstepTensor

/// One thing to train: its parameters, its data, its loss. The trainer knows nothing else.
public protocol TrainingTask: SendableMetatype {
  /// Name in a plan's `task`.
  static var name: String { get }
  /// One sentence.
  static var summary: String { get }
  /// Makes the components, with fresh parameters on the context's device, and loads the data.
  /// - Throws: ``PlanError`` when the plan does not suit the task; `FormatError` when the data are missing or damaged.
  init(_ plan: TrainingPlan, context: TrainingContext) throws
  /// Everything trained, under the names it is stored with: `<component>.<parameter>`.
  var parameters: ParameterTree { get }
  /// Number of training samples.
  var sampleCount: Int { get }
  /// The loss of one batch, a scalar.
  /// - Parameters:
  ///   - indices: which samples.
  ///   - random: the step's random numbers; the loss is a function of parameters, indices and this.
  func loss(indices: [Int], random: StepRandom) throws -> Tensor
  /// Writes the model to a folder that `generate` can use.
  /// - Parameter parameters: the weights to write, named as ``parameters``.
  func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws
}

/// What a task may use of its surroundings.
public struct TrainingContext: Sendable {
  /// Where parameters are and losses are computed.
  public var device: Device
  /// A progress line for the user.
  public var note: @Sendable (String) -> Void
  /// - Parameters:
  ///   - device: where to train.
  ///   - note: takes progress lines for the user.
  public init(device: Device = .cpu, note: @escaping @Sendable (String) -> Void = { _ in }) {
    self.device = device
    self.note = note
  }
}

/// The random numbers of one step, derived from the run's seed and the step's number.
public struct StepRandom {
  /// For tensors: times, noise, dropped labels. On the CPU whatever the device, so that a run does not depend on it.
  public let generator: Generator
  /// For everything that is no tensor: shifts, wording.
  public var choices: SplitMix64

  /// - Parameters:
  ///   - seed: of the run.
  ///   - step: from 0.
  /// - Throws: `TensorError` when there can be no generator.
  public init(seed: UInt64, step: Int) throws {
    let mixed = SplitMix64.mixed(seed, UInt64(step) &+ 0x5157)
    generator = try Generator(seed: mixed)
    choices = SplitMix64(seed: mixed)
  }
}

/// Every task by name. A new one is its file and one line here.
public enum AllTrainingTasks {
  /// Sorted by name.
  public static let all: [any TrainingTask.Type] = [
    DigitClassifierTask.self,
    DigitDiffusionTask.self,
    EmojiDiffusionTask.self,
    EmojiClassifierTask.self,
    EmojiPromptTask.self,
    FeedbackTask.self,
    NoiseLevelTask.self,
    RouterTask.self,
  ]

  /// - Throws: `PlanError` with the known names.
  public static func named(_ name: String) throws -> any TrainingTask.Type {
    guard let task = all.first(where: { $0.name == name }) else {
      throw PlanError("unknown training task '\(name)'; known: \(all.map { $0.name }.joined(separator: ", "))")
    }
    return task
  }
}

/// A training plan cannot be carried out.
public struct PlanError: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
