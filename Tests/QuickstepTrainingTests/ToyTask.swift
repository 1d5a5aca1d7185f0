import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining

/// A task of the tests' own: a small denoiser of made-up data, which uses everything a task is given. It is not registered.
final class ToyTask: TrainingTask {
  static let name = "toy"
  static let summary = "Denoises 32 made-up vectors."

  let parameters: ParameterTree
  let sampleCount = 32
  private let model: (first: Linear, second: Linear)
  private let objective: DenoisingObjective
  private let data: Tensor
  /// Step from which on the loss is this value, and how it is made so.
  var fault: (step: Int, kind: Fault)?
  private var calls = 0
  /// The samples of every step so far.
  private(set) var visited: [[Int]] = []

  enum Fault { case nan, infinite, infiniteGradient, unusedParameter, tensorFailure }

  init(_ plan: TrainingPlan, context: TrainingContext) throws {
    let made = try Weights.initialise(generator: Generator(seed: plan.seed)) { (Linear($0["net", 0], 6, 16), Linear($0["net", 1], 16, 4)) }
    model = (made.model.0, made.model.1)
    parameters = made.parameters
    objective = try DenoisingObjective(
      plan.objective ?? ObjectivePlan(schedule: "linear", prediction: "sample", weighting: "velocity", maximum: 5))
    data = Tensor.randn([32, 4], generator: try Generator(seed: 99))
  }

  func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    calls += 1
    visited.append(indices)
    var choices = random.choices
    let flip = Bool.random(using: &choices) ? -1.0 : 1
    let clean = data.indexSelect(0, index: Tensor(indices)) * flip
    let loss = try objective.loss(clean, generator: random.generator) { noisy, time in
      let features = TimestepFeatures.make(time, size: 2)
      return model.second(model.first(.cat([noisy, features], dim: 1)).silu())
    }
    guard let fault, calls > fault.step else { return loss }
    switch fault.kind {
    case .nan: return loss * .nan
    case .infinite: return loss * .infinity
    // The root's slope is infinite at 0, where its value is fine.
    case .infiniteGradient: return loss + (loss - loss).sqrt()
    case .unusedParameter: return model.second(data.narrow(1, start: 0, length: 1).expand([32, 16])).sum()
    case .tensorFailure: return loss + data.view([7])
    }
  }

  func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    try SafetensorsWriter.write(parameters.all, to: folder + "/toy.safetensors", makeFolder: true)
  }
}

/// A plan as it stands in a file, with some members replaced; paths of nested members are joined by dots.
func planText(_ changes: [String: JSONValue?] = [:]) throws -> String {
  let text = """
    {"task": "toy", "components": {}, "data": {"set": "none", "groups": [], "styles": []},
     "objective": {"schedule": "linear", "prediction": "sample", "weighting": "velocity", "maximum": 5},
     "optimiser": {"learning_rate": 0.01, "final_learning_rate": 0.001, "warmup": 2, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8,
                   "weight_decay": 0.1, "clip": 0.5},
     "batch": 5, "steps": 6, "averaging_decay": 0.9, "condition_dropout": 0.1, "seed": 3, "defaults": {"default_steps": 20}}
    """
  return try replaced(text, changes)
}

/// A JSON text with some members replaced.
private func replaced(_ text: String, _ changes: [String: JSONValue?]) throws -> String {
  func changed(_ value: JSONValue, _ path: ArraySlice<String>, _ new: JSONValue?) -> JSONValue {
    guard let key = path.first, var members = value.object else { return value }
    members[key] = path.count == 1 ? new : changed(members[key] ?? .object([:]), path.dropFirst(), new)
    return .object(members)
  }
  var value = try JSONValue(parsing: text)
  for (path, new) in changes { value = changed(value, path.split(separator: ".").map(String.init)[...], new) }
  return value.text
}

/// - Parameter further: replaced after `changes`, so that they may be within what these bring.
func plan(_ changes: [String: JSONValue?] = [:], then further: [String: JSONValue?] = [:]) throws -> TrainingPlan {
  let folder = try TemporaryFolder()
  return try TrainingPlan.read(folder.write(replaced(planText(changes), further), to: "training.json"))
}

/// A trainer of the toy task in `folder`.
func toyTrainer(_ plan: TrainingPlan, _ folder: String, fault: (Int, ToyTask.Fault)? = nil) throws -> (trainer: Trainer, task: ToyTask) {
  let task = try ToyTask(plan, context: TrainingContext())
  task.fault = fault
  return (try Trainer(plan, task: task, folder: folder, context: TrainingContext()), task)
}
