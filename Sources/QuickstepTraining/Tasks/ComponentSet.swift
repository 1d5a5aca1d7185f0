import Foundation
package import QuickstepFormats
package import QuickstepModels
package import QuickstepNN
package import QuickstepTensor

/// Fresh components of a plan, and their way back to disk.
package struct ComponentSet {
  package private(set) var loaded: [String: LoadedComponent] = [:]
  package private(set) var parameters = ParameterTree()

  /// - Parameter settings: additional members for a component's configuration (sizes known only from the data).
  package init(_ plan: TrainingPlan, device: Device, settings: [String: [String: JSONValue]] = [:]) throws {
    let generator = try Generator(seed: plan.seed)
    // Sorted, so that the order of a JSON object cannot change the initial weights.
    for (name, values) in plan.components.sorted(by: { $0.key < $1.key }) {
      let members = values.mapValues(\.json).merging(settings[name] ?? [:]) { first, _ in first }
      let configuration = ConfigurationFile(path: "plan component '\(name)'", members: members)
      let component = try Architectures.fresh(configuration, generator: generator, device: device)
      loaded[name] = component
      parameters.merge(component.parameters.prefixed(name + "."))
    }
    for (part, folder) in (plan.startFrom ?? [:]).sorted(by: { $0.key < $1.key }) { try start(part, from: folder) }
  }

  /// Copies the weights of a component folder into the parameters below `part`, which must be the same by name and shape.
  private func start(_ part: String, from folder: String) throws {
    let source = try Architectures.weights(folder: folder)
    let targets = parameters.all.filter { $0.name.hasPrefix(part + ".") }
    guard !targets.isEmpty else { throw PlanError("start_from: the plan has no component or part '\(part)'") }
    let names = Set(targets.map { String($0.name.dropFirst(part.count + 1)) })
    if let extra = source.names.first(where: { !names.contains($0) }) {
      throw PlanError("start_from: '\(part)' has no '\(extra)', \(folder) has")
    }
    for (name, tensor) in targets {
      let key = String(name.dropFirst(part.count + 1))
      guard let info = source.info(key) else { throw PlanError("start_from: \(folder) has no '\(key)' for '\(part)'") }
      guard info.shape == tensor.shape else {
        throw PlanError("start_from: '\(key)' is \(info.shape) in \(folder), the plan's '\(part)' needs \(tensor.shape)")
      }
      let stored = try source.tensor(key)
      try withTensorErrors { withoutGradients { tensor.copyInPlace(stored) } }
    }
  }

  /// The component `name` as `Kind`.
  package func component<Kind>(_ name: String, as kind: Kind.Type) throws -> Kind {
    guard let component = loaded[name]?.component else {
      throw PlanError("the plan has no component '\(name)'; it has \(loaded.keys.sorted().joined(separator: ", "))")
    }
    guard let typed = component as? Kind else { throw PlanError("the component '\(name)' is no \(Kind.self)") }
    return typed
  }

  /// Writes `config.json` and the weights as float16 for every component.
  package func write(_ parameters: ParameterTree, to folder: String) throws {
    for (name, component) in loaded.sorted(by: { $0.key < $1.key }) {
      let text = try ConfigurationFile.pretty(.object(component.configuration.members))
      try AtomicFile.write(Array(text.utf8), to: "\(folder)/\(name)/config.json", makeFolder: true)
      let tensors = try component.parameters.names.map { key -> (String, Tensor) in
        guard let tensor = parameters[name + "." + key] else { throw PlanError("no weights for '\(name).\(key)'") }
        return (key, try withTensorErrors { withoutGradients { tensor.detach().to(.cpu).to(.float16) } })
      }
      try SafetensorsWriter.write(
        tensors, metadata: ["format": "pt"], to: "\(folder)/\(name)/\(component.architecture.weightsName).safetensors")
    }
  }
}

/// The files of a model folder that are not weights.
enum ModelFolderFiles {
  static func write(_ value: JSONValue, to path: String) throws {
    try AtomicFile.write(Array(try ConfigurationFile.pretty(value).utf8), to: path, makeFolder: true)
  }

  /// `scheduler_config.json`, in diffusers' words.
  static func scheduler(_ objective: ObjectivePlan) -> JSONValue {
    if objective.schedule == "flow" {
      return .object([
        "_class_name": .string("FlowMatchEulerDiscreteScheduler"), "num_train_timesteps": .integer(1000), "shift": .number(1),
        "prediction_type": .string(objective.prediction),
      ])
    }
    return .object([
      "_class_name": .string("DDIMScheduler"), "num_train_timesteps": .integer(1000), "beta_schedule": .string(objective.schedule),
      "beta_start": .number(0.0001), "beta_end": .number(0.02), "prediction_type": .string(objective.prediction),
      "timestep_spacing": .string("trailing"), "clip_sample": .bool(false), "set_alpha_to_one": .bool(true), "steps_offset": .integer(0),
    ])
  }

  static func index(_ className: String, components: [String: (String, String)], defaults: [String: PlanValue]) -> JSONValue {
    var members: [String: JSONValue] = ["_class_name": .string(className)]
    for (name, pair) in components { members[name] = .array([.string(pair.0), .string(pair.1)]) }
    for (name, value) in defaults { members[name] = value.json }
    return .object(members)
  }
}
