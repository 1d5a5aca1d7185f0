import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor

/// A training run on disk: parameters, average and optimiser state in one safetensors file, written whole or not at all.
struct Checkpoint {
  let path: String

  init(folder: String) { path = folder + "/checkpoint.safetensors" }

  var exists: Bool { FileManager.default.fileExists(atPath: path) }

  func write(step: Int, plan: TrainingPlan, parameters: ParameterTree, optimiser: AdamW, average: WeightAverage) throws {
    let tensors = parameters.all.map { ("parameter." + $0.name, $0.tensor.detach()) } + average.state() + optimiser.state()
    try SafetensorsWriter.write(tensors, metadata: ["step": String(step), "plan": try Self.fingerprint(plan)], to: path)
  }

  /// Restores everything and returns the number of finished steps.
  /// - Throws: `PlanError` when the checkpoint belongs to another plan; `FormatError` when it is damaged.
  func restore(plan: TrainingPlan, parameters: ParameterTree, optimiser: AdamW, average: WeightAverage) throws -> Int {
    let file = try SafetensorsFile(path: path)
    guard let step = file.metadata["step"].flatMap({ Int($0) }), step >= 0 else { throw FormatError(path, "the metadata holds no step") }
    guard file.metadata["plan"] == (try Self.fingerprint(plan)) else {
      throw PlanError("\(path) belongs to another plan; resume with the plan it was started with, or choose another output folder")
    }
    for (name, tensor) in parameters.all {
      // In-place updates trust these shapes.
      for part in ["parameter."] + (average[name] == nil ? [] : ["average.", "adam.m.", "adam.v."]) {
        guard let info = file.info(part + name) else { throw FormatError(path, "there is no tensor '\(part + name)'") }
        guard info.shape == tensor.shape, info.dtype == tensor.dtype else {
          throw FormatError(path, "'\(part + name)' is \(info.dtype) \(info.shape), the plan's model has \(tensor.dtype) \(tensor.shape)")
        }
      }
    }
    for (name, tensor) in parameters.all {
      let stored = try file.tensor("parameter." + name)
      try withTensorErrors { withoutGradients { tensor.detach().copyInPlace(stored) } }
    }
    try withTensorErrors {
      try average.restore(from: file)
      try optimiser.restore(step: step, from: file)
    }
    return step
  }

  /// What must not change between two sessions of one run. The number of steps may: it only stretches the learning-rate curve from here on.
  private static func fingerprint(_ plan: TrainingPlan) throws -> String {
    var plan = plan
    plan.steps = 1
    plan.defaults = [:]
    // The checkpoint holds the weights; where the first ones came from, and the model that is learned from, may be moved.
    plan.startFrom = nil
    plan.feedback?.model = ""
    plan.router?.model = ""
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(plan), as: UTF8.self)
  }
}
