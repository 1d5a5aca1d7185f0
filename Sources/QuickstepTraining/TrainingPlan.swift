internal import Foundation
public import QuickstepFormats
import QuickstepNN

/// Everything that determines a training run, as written in a `training.json`. The same plan on the same machine gives the same weights.
public struct TrainingPlan: Codable, Sendable, Hashable {
  /// Which registered task; see ``AllTrainingTasks``.
  public var task: String
  /// Configurations of the components to train, by folder name (`transformer`, `unet`, `text_encoder`, `classifier`), each with `_class_name`.
  public var components: [String: [String: PlanValue]]
  /// Trained components to begin with in place of fresh weights: from a component, or a part of one (`transformer.sketch`), to the folder
  /// that holds it. ``read(_:)`` takes relative folders from the plan's own place.
  public var startFrom: [String: String]?
  /// Components and parts of components that keep their weights.
  public var frozen: [String]?
  /// Which pictures are trained on.
  public var data: DataSelection
  /// What the network learns; absent for tasks with a loss of their own.
  public var objective: ObjectivePlan?
  /// What the task `feedback` is told; absent for all others.
  public var feedback: FeedbackPlan?
  /// What the task `router` is told; absent for all others.
  public var router: RouterPlan?
  /// AdamW and its learning-rate curve.
  public var optimiser: OptimiserPlan
  /// Pictures per step.
  public var batch: Int
  /// Optimiser updates of the whole run, at least 1. It may be changed before a run is resumed.
  public var steps: Int
  /// Decay of the averaged weights that are exported; 0 exports the weights themselves.
  public var averagingDecay: Double
  /// Probability that a sample's condition is dropped, which is what makes classifier-free guidance possible.
  public var conditionDropout: Double
  /// Of initial weights, order of the samples, times, noise and dropped conditions.
  public var seed: UInt64
  /// What goes into the exported model's index, besides the components.
  public var defaults: [String: PlanValue]

  enum CodingKeys: String, CodingKey {
    case task, components, data, objective, feedback, router, optimiser, batch, steps, seed, defaults
    case startFrom = "start_from"
    case frozen
    case averagingDecay = "averaging_decay"
    case conditionDropout = "condition_dropout"
  }

  /// What an optimiser may change: everything that is not below one of ``frozen``.
  /// - Throws: ``PlanError`` when a name in `frozen` meets nothing, and when nothing is left.
  func trainedParameters(of all: ParameterTree) throws -> ParameterTree {
    let frozen = self.frozen ?? []
    if let idle = frozen.first(where: { part in !all.names.contains { $0.hasPrefix(part + ".") } }) {
      throw PlanError("frozen: the plan has no component or part '\(idle)'")
    }
    var trained = ParameterTree()
    for (name, tensor) in all.all where !frozen.contains(where: { name.hasPrefix($0 + ".") }) { trained.insert(name, tensor) }
    guard !trained.names.isEmpty else { throw PlanError("frozen: nothing is left to train") }
    return trained
  }

  /// Reads and checks a plan file.
  /// - Throws: `FormatError` naming the file and the key.
  public static func read(_ path: String) throws -> TrainingPlan {
    var plan = try PlanReader.decode(TrainingPlan.self, path: path)
    func check(_ holds: Bool, _ problem: String) throws { if !holds { throw FormatError(path, problem) } }
    try check(plan.batch >= 1 && plan.batch <= 65536, "'batch' is \(plan.batch); allowed: 1…65536")
    try check(plan.steps >= 1, "'steps' is \(plan.steps); it must be at least 1")
    try check((0..<1).contains(plan.averagingDecay), "'averaging_decay' is \(plan.averagingDecay); allowed: 0…1 (exclusive)")
    try check((0...1).contains(plan.conditionDropout), "'condition_dropout' is \(plan.conditionDropout); allowed: 0…1")
    try plan.optimiser.check(path)
    try plan.feedback?.check(path)
    try plan.router?.check(path)
    let place = (path as NSString).deletingLastPathComponent
    func placed(_ folder: String) -> String { folder.hasPrefix("/") || place.isEmpty ? folder : place + "/" + folder }
    plan.startFrom = plan.startFrom?.mapValues(placed)
    if let model = plan.feedback?.model { plan.feedback?.model = placed(model) }
    if let model = plan.router?.model { plan.router?.model = placed(model) }
    return plan
  }
}

/// Which part of a data set is trained on. Empty lists mean everything.
public struct DataSelection: Codable, Sendable, Hashable {
  /// Name of the data set's folder below the data location.
  public var set: String
  /// Emoji groups as the data set names them; read by the task `emoji`.
  public var groups: [String]
  /// Drawing styles as the data set names them; read by the task `emoji`.
  public var styles: [String]
  /// - Parameters:
  ///   - set: name of the data set's folder.
  ///   - groups: groups to train on; empty for all.
  ///   - styles: styles to train on; empty for all.
  public init(set: String, groups: [String] = [], styles: [String] = []) {
    self.set = set
    self.groups = groups
    self.styles = styles
  }
}

/// A free JSON value inside a plan.
public enum PlanValue: Codable, Sendable, Hashable {
  /// JSON `true` or `false`.
  case flag(Bool)
  /// A JSON number without fraction that fits 64 bits.
  case integer(Int)
  /// Any other JSON number.
  case number(Double)
  /// A JSON string.
  case text(String)
  /// A JSON array.
  case list([PlanValue])
  /// JSON `null`.
  case nothing

  /// - Throws: `DecodingError` for objects, which plans do not use as free values.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .nothing
    } else if let value = try? container.decode(Bool.self) {
      self = .flag(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else {
      self = .list(try container.decode([PlanValue].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .flag(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .list(let value): try container.encode(value)
    case .nothing: try container.encodeNil()
    }
  }

  /// The same value for writing into a model folder.
  public var json: JSONValue {
    switch self {
    case .flag(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .text(let value): .string(value)
    case .list(let values): .array(values.map(\.json))
    case .nothing: .null
    }
  }
}
