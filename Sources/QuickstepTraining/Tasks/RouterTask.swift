public import QuickstepNN
public import QuickstepTensor
import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepPipelines

/// Learning-to-Cache (Ma et al. 2024, arXiv 2406.01733): a score for every module in every other evaluation, β·new + (1 − β)·old, learned against the
/// model's own answers with a price on what is computed; scores below a threshold become reuse in a static plan. The model stays as it is.
///
/// Evaluations 2p are full; in 2p + 1 every attention and every feed-forward module gives a mixture of what it computes and what it gave in 2p.
/// With β = sigmoid of what is trained,
///
///     L = mean (x̂0 with the mixtures − x̂0)² + penalty · mean β.
public final class RouterTask: TrainingTask {
  /// `router`.
  public static let name = "router"
  /// For lists of tasks.
  public static let summary = "Which modules are computed in every other evaluation (Learning-to-Cache): a plan for method 'plan'."

  private let settings: RouterPlan
  private let pipeline: ImagePipeline
  private let prompts: TeacherPrompts
  private let modules: [String: Int]
  /// `[pairs of evaluations, modules]`.
  private let logits: Tensor
  private var teachers: [Int: RecordedPaths] = [:]

  /// Needs `router` in the plan; `components` and `objective` are not read.
  /// - Throws: ``PlanError`` when the plan does not suit the task or the model; the errors of loading it.
  public init(_ plan: TrainingPlan, context: TrainingContext) throws {
    guard let settings = plan.router else { throw PlanError("the task 'router' needs an entry 'router'") }
    guard plan.components.isEmpty, plan.objective == nil, plan.conditionDropout == 0 else {
      throw PlanError("the task 'router' trains no components, has its own objective and drops no conditions; leave them out")
    }
    self.settings = settings
    // Prepared layers pass no gradients on.
    let model = try LoadedModel(folder: settings.model, device: context.device, kernels: .plain)
    pipeline = ImagePipeline(model)
    prompts = try TeacherPrompts(settings, entry: "router", data: plan.data, model: model, seed: plan.seed)
    let outline = try pipeline.outline(of: prompts.request(0, settings, steps: settings.steps))
    guard outline.evaluations == settings.steps else {
      throw PlanError(
        "router: '\(settings.solver)' evaluates \(outline.evaluations) times in \(settings.steps) steps; take a solver of one each")
    }
    let sites = outline.modules([.attention, .crossAttention, .feedForward, .parallel])
    guard !sites.isEmpty else { throw PlanError("router: '\(model.name)' has no attention or feed-forward modules") }
    modules = Dictionary(uniqueKeysWithValues: sites.enumerated().map { ($1.path, $0) })
    logits = try withTensorErrors { Tensor.zeros([settings.steps / 2, sites.count]).to(context.device) }
  }

  /// One number per module for each of the evaluations 1, 3, 5, …: `[steps / 2, modules]`.
  public var parameters: ParameterTree {
    var tree = ParameterTree()
    tree.insert(Self.parameter, logits)
    return tree
  }
  private static let parameter = "router.scores"
  /// Groups of runs.
  public var sampleCount: Int { settings.groups }

  /// The loss of one pair of evaluations of each group, drawn anew every time.
  public func loss(indices: [Int], random: StepRandom) throws -> Tensor {
    var choices = random.choices
    let losses = try indices.map { group in try loss(group, pair: Int.random(in: 0..<logits.size(0), using: &choices)) }
    return losses.dropFirst().reduce(losses[0], +) / Double(losses.count)
  }

  private func loss(_ group: Int, pair: Int) throws -> Tensor {
    let teacher = try teacher(group)
    let scores = logits.select(0, index: pair).sigmoid()
    let policy = RouterPolicy(modules: modules, scores: scores)
    let denoiser = try pipeline.denoiser(for: request(group), sites: policy)
    func context(_ evaluation: Int) -> StepContext {
      StepContext(
        step: evaluation, stepCount: settings.steps, evaluation: evaluation, evaluationCount: settings.steps,
        level: teacher.levels[evaluation])
    }
    let (before, after) = (2 * pair, 2 * pair + 1)
    _ = try withoutGradients { try denoiser.denoised(teacher.seen[before], context: context(before)) }
    let own = try denoiser.denoised(teacher.seen[after], context: context(after))
    return (own - teacher.denoised[after]).square().mean() + scores.mean() * settings.penalty
  }

  /// Writes `plan.json`, which `plan:file=` takes.
  public func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws {
    guard let tensor = parameters[Self.parameter] else { throw PlanError("no weights for '\(Self.parameter)'") }
    let scores = try withTensorErrors { tensor.sigmoid() }.scalars(Float.self)
    func computes(_ pair: Int, _ module: Int) -> Bool { Double(scores[pair * modules.count + module]) > settings.threshold }
    var actions: [String: [SiteAction]] = [:]
    for (path, place) in modules {
      actions[path] = (0..<settings.steps).map { $0 % 2 == 0 || computes($0 / 2, place) ? .compute : .reuse }
    }
    let text = try SitePlan(evaluations: settings.steps, actions: actions).json()
    try AtomicFile.write(Array(text.utf8) + [0x0A], to: folder + "/plan.json", makeFolder: true)
  }

  private func request(_ group: Int) -> GenerationRequest { prompts.request(group, settings, steps: settings.steps) }

  /// The model's own run, in copies that can take part in training.
  private func teacher(_ group: Int) throws -> RecordedPaths {
    if let known = teachers[group] { return known }
    var run = try pipeline.recorded(request(group))
    let device = pipeline.model.device
    try withTensorErrors {
      run.seen = run.seen.map { $0.clone().to(device) }
      run.denoised = run.denoised.map { $0.clone().to(device) }
    }
    teachers[group] = run
    return run
  }
}

/// Mixes what modules compute with what they gave in the evaluation before.
private final class RouterPolicy: SitePolicy {
  private let modules: [String: Int]
  private let scores: Tensor
  private var kept: [String: [Tensor]] = [:]

  init(modules: [String: Int], scores: Tensor) { (self.modules, self.scores) = (modules, scores) }

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    let output = try compute(input)
    guard let place = modules[site.path] else { return output }
    let key = "\(site.path) \(context.branches)"
    guard context.evaluation % 2 == 1 else {
      kept[key] = output
      return output
    }
    guard let old = kept[key], old.count == output.count else { return output }
    let score = scores.select(0, index: place)
    return zip(old, output).map { $0 + ($1 - $0) * score }
  }
}

/// What ``RouterTask`` learns by, for lists.
enum RouterObjective {
  static let declaration = MethodDeclaration(
    name: "learning-to-cache", family: .objective,
    summary: "A score for every module in every other evaluation, against the model's own answers and a price on what is computed.",
    points: [.weights], reads: ["runs of the frozen network"], changes: ["a plan of what is computed"],
    needs: ["a trained model", "prompts"], state: "none",
    parameters: [
      ParameterDeclaration(
        name: "penalty", summary: "what a module that is computed costs", domain: .number(0...1000), standard: .number(0.001)),
      ParameterDeclaration(
        name: "threshold", summary: "scores above this are computed", domain: .number(0...1), standard: .number(0.5)),
    ], exactness: .approximate, reference: "arXiv 2406.01733, section 3; github.com/horseee/learning-to-cache")
}
