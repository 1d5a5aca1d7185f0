internal import QuickstepNN
internal import QuickstepTensor

/// Whether evaluations on a GPU are recorded and played.
public enum GraphUse: String, Sendable, CaseIterable {
  /// Never.
  case off
  /// Where it can be done: on a GPU, where nothing decides or looks on inside evaluations.
  case auto
  /// The same; where it cannot be done that is an error, or a warning where it only shows while running.
  case on
}

/// What one request keeps from batch to batch.
struct RequestMemory {
  /// Recorded evaluations; `nil` where they are done one kernel after the other.
  let graphs: EvaluationGraphs?
  /// What networks make beside their weights.
  let tables = ConstantTables()
}

/// The recorded evaluations of one request, one for each shape of what the network is told.
final class EvaluationGraphs {
  /// What decides whether a recording serves an evaluation.
  struct Key: Hashable {
    var model: String
    /// Branches of guidance in their order, where there are several, and what acts in this evaluation beside the network.
    var parts: [String]
    var names: [String]
    var shapes: [[Int]]
    var types: [DType]
  }

  private let use: GraphUse
  private let recorder: (Device, [Tensor]) throws -> EvaluationGraph
  private var graphs: [Key: EvaluationGraph] = [:]
  private(set) var refusal: String?

  init(_ use: GraphUse, recorder: @escaping (Device, [Tensor]) throws -> EvaluationGraph) { (self.use, self.recorder) = (use, recorder) }

  /// Those of a request; `nil` where none are recorded.
  /// - Parameter recorder: in place of CUDA's, on any device: for tests.
  /// - Throws: ``GenerationError`` where graphs are asked for on a device that has none.
  static func make(_ use: GraphUse, _ model: LoadedModel, recorder: ((Device) throws -> any GraphRecorder)?) throws -> EvaluationGraphs? {
    guard use != .off else { return nil }
    if let recorder { return EvaluationGraphs(use) { try EvaluationGraph(recorder($0), inputs: $1) } }
    guard model.device.isCUDA else {
      if use == .on { throw GenerationError("graphs record the work of a GPU; '\(model.name)' is on \(model.device)") }
      return nil
    }
    return EvaluationGraphs(use) { try EvaluationGraph(device: $0, inputs: $1) }
  }

  /// Evaluations that were played.
  var replays: Int { graphs.values.reduce(0) { $0 + $1.replays } }

  /// The work, recorded where it was done twice before with tensors like these; `nil` where it cannot be recorded.
  func callAsFunction(_ key: Key, _ inputs: [Tensor], on device: Device, _ work: @escaping EvaluationGraph.Work) throws -> [Tensor]? {
    guard refusal == nil else { return nil }
    do {
      let graph = try graphs[key] ?? recorder(device, inputs)
      graphs[key] = graph
      return try graph(inputs, work)
    } catch let error as TensorError {
      // Nothing of a recording that failed was done: the evaluation is done as it is, and shows by itself what else may be wrong.
      refusal = error.description
      return nil
    }
  }

  /// What the user is to be told at the end.
  var warnings: [String] {
    if let refusal { return ["evaluations were not recorded as graphs: \(refusal)"] }
    guard use == .on, replays == 0 else { return [] }
    return ["graphs had no effect: a method acts inside the evaluations, or there are at most \(EvaluationGraph.warmUps) of a kind"]
  }
}
