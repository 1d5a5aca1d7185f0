public import QuickstepNN
public import QuickstepTensor
import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepPipelines

/// Inner-loop feedback for a trained model, which stays as it is: the feedback block and its scales are all that is trained.
///
/// The block begins as a copy of the last block of the inner range and the scales at 0, so that training begins at the model's own run of few
/// steps. Runs of the teacher are made when they are first needed and kept in memory.
public final class FeedbackTask: TrainingTask {
  /// `feedback`.
  public static let name = "feedback"
  /// For lists of tasks.
  public static let summary = "A feedback module for a trained model (method 'ilf'), from the model's own runs."

  private let settings: FeedbackPlan
  private let pipeline: ImagePipeline
  private let objective: FeedbackObjective
  private let prompts: TeacherPrompts
  private let block: any GuestBlock
  private let blockParameters: ParameterTree
  private let scales: [Tensor]
  private let blockCount: Int
  private let seed: UInt64
  private var teachers: [Int: FeedbackObjective.Teacher] = [:]
  private var firstPasses: [Int: FeedbackRunner.FirstPasses] = [:]

  /// Needs `feedback` in the plan; `components` and `objective` are not read.
  /// - Throws: ``PlanError`` when the plan does not suit the task or the model; the errors of loading it.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    guard let settings = plan.feedback else { throw PlanError("the task 'feedback' needs an entry 'feedback'") }
    guard plan.components.isEmpty, plan.objective == nil, plan.conditionDropout == 0 else {
      throw PlanError("the task 'feedback' trains no components, has its own objective and drops no conditions; leave them out")
    }
    self.settings = settings
    seed = plan.seed
    // Prepared layers pass no gradients on.
    let model = try LoadedModel(folder: settings.model, device: context.device, kernels: .plain)
    pipeline = ImagePipeline(model)
    prompts = try TeacherPrompts(settings, entry: "feedback", data: plan.data, model: model, seed: plan.seed)
    let sites = model.backbone.sites.filter { $0.kind == .block }
    guard settings.last < sites.count else {
      throw PlanError(
        "feedback: the inner range \(settings.first)…\(settings.last) does not lie in the \(sites.count) blocks of '\(model.name)'")
    }
    blockCount = sites.count
    let copied = try Self.copy(of: sites[settings.last].path, in: model)
    let made = try Weights.load(from: copied, device: context.device) {
      try model.backbone.guestBlock(like: settings.last, weights: $0)
    }
    guard let block = made.model else { throw PlanError("feedback: '\(model.name)' runs no blocks but its own") }
    (self.block, blockParameters) = (block, made.parameters)
    guard let size = made.parameters.all.lazy.compactMap({ Self.channels($0.name, $0.tensor) }).first else {
      throw PlanError("feedback: the width of the blocks of '\(model.name)' cannot be told from their parameters")
    }
    scales = try withTensorErrors { (settings.first...settings.last).map { _ in Tensor.zeros([size]).to(context.device) } }
    objective = try Self.objective(settings, pipeline, prompts)
  }

  /// Of `feedback.block.` and `feedback.scale.`.
  public var parameters: ParameterTree {
    var tree = blockParameters.prefixed("feedback.block.")
    for (index, scale) in zip(settings.first...settings.last, scales) { tree.insert("feedback.scale.\(index)", scale) }
    return tree
  }
  /// Groups of runs.
  public var sampleCount: Int { settings.groups }

  /// The objective's loss over groups of runs.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    let losses = try indices.map { index in
      let request = request(index, steps: settings.steps)
      let denoiser = try pipeline.denoiser(for: request, sites: runner(index))
      return try objective.loss(teacher(index)) { try denoiser.denoised($0, context: $1) }
    }
    return losses.dropFirst().reduce(losses[0], +) / Double(losses.count)
  }

  /// The runner of the blocks with the parameters in training.
  private func runner(_ group: Int) -> FeedbackRunner {
    let memory = firstPasses[group] ?? FeedbackRunner.FirstPasses()
    firstPasses[group] = memory
    return FeedbackRunner(range: settings.first...settings.last, block: block, scales: scales, memory: memory) { _ in true }
  }

  /// Writes the module: a folder that `ilf:module=` takes.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    let range = settings.first...settings.last
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in parameters.all { tensors[name] = tensor }
    let block = try blockParameters.names.map { name -> (String, Tensor) in
      guard let tensor = tensors["feedback.block." + name] else { throw PlanError("no weights for 'feedback.block.\(name)'") }
      return (name, tensor)
    }
    let model = pipeline.model
    let configuration = FeedbackModule.Configuration(
      model: model.name, fingerprint: model.fingerprint, blocks: blockCount, first: range.lowerBound, last: range.upperBound,
      hiddenSize: scales[0].count, steps: settings.steps, solver: settings.solver,
      begin: settings.begin, end: settings.end, guidanceScale: settings.guidanceScale)
    try FeedbackModule(
      configuration, block: Dictionary(uniqueKeysWithValues: block), scales: range.compactMap { tensors["feedback.scale.\($0)"] }
    ).write(to: folder)
  }

  // MARK: - Teacher

  private func request(_ group: Int, steps: Int) -> GenerationRequest {
    prompts.request(group, settings, steps: steps)
  }

  private func teacher(_ group: Int) throws -> FeedbackObjective.Teacher {
    if let known = teachers[group] { return known }
    let run = try pipeline.recorded(request(group, steps: settings.steps * settings.refinement))
    // Tensors of a run cannot take part in training; copies of them can.
    let device = pipeline.model.device
    func copies(_ tensors: [Tensor]) throws -> [Tensor] { try withTensorErrors { tensors.map { $0.clone().to(device) } } }
    let all = FeedbackObjective.Teacher(states: run.seen + [run.final], denoised: run.denoised, refinement: settings.refinement)
    var teacher = all
    (teacher.states, teacher.denoised, teacher.middle) = (try copies(all.states), try copies(all.denoised), try copies(all.middle))
    teachers[group] = teacher
    return teacher
  }

  private static func objective(_ settings: FeedbackPlan, _ pipeline: ImagePipeline, _ prompts: TeacherPrompts) throws -> FeedbackObjective
  {
    let table = try pipeline.tableau(of: prompts.request(0, settings, steps: settings.steps))
    let fine = try pipeline.tableau(of: prompts.request(0, settings, steps: settings.steps * settings.refinement))
    return try FeedbackObjective(
      table: table, fine: [fine.initialLevel] + fine.rows.filter(\.finishesStep).map(\.level), refinement: settings.refinement,
      steps: settings.begin..<(settings.steps - settings.end), weight: settings.noiseWeight, bound: settings.noiseBound)
  }

  // MARK: - The block

  /// The weights of a block as a source of their own, copied: files are mapped, and training writes in place.
  private static func copy(of path: String, in model: LoadedModel) throws -> TensorDictionary {
    let source = try Architectures.weights(folder: model.folder + "/" + model.backboneName)
    var tensors: [String: Tensor] = [:]
    for name in source.names where name.hasPrefix(path + ".") {
      let stored = try source.tensor(name)
      tensors[String(name.dropFirst(path.count + 1))] = try withTensorErrors { stored.to(.float32).clone() }
    }
    return TensorDictionary(tensors, origin: "block '\(path)' of '\(model.name)'")
  }

  /// Channels of a token, from what projects attention back to them.
  private static func channels(_ name: String, _ tensor: Tensor) -> Int? {
    name.hasSuffix("to_out.0.weight") && tensor.rank == 2 ? tensor.size(0) : nil
  }
}
