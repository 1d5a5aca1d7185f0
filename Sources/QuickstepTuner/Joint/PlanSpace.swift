import QuickstepAcceleration
import QuickstepNN
public import QuickstepPipelines

/// Which modules are computed in which evaluation, and which are taken from the evaluation before: one gene for each (ECAD, Aggarwal et al. 2025,
/// arXiv 2506.15682, section 3). Everything else is as one way to sample has it.
public struct PlanSpace: SamplingSpace {
  public static let kind = SpaceKind(
    name: "plan", summary: "Which module is computed in which evaluation, and which is reused (ECAD).", searcher: "nsga-2"
  ) { try PlanSpace($0) }

  public private(set) var space: SearchSpace
  private let base: SamplingSettings
  private let modules: [String]
  private let evaluations: Int

  /// - Throws: `GenerationError` where the network has no modules that can be reused, or the way to begin with has a method at the blocks already.
  public init(_ outline: SpaceOutline) throws {
    base = outline.base(steps: 20)
    let pipeline = ImagePipeline(outline.model)
    let run = try pipeline.outline(of: base.applied(to: outline.request))
    modules = run.modules([.attention, .crossAttention, .feedForward, .parallel]).map(\.path)
    evaluations = run.evaluations
    guard !modules.isEmpty else {
      throw GenerationError("the space 'plan' needs attention or feed-forward modules; \(run.network) has none")
    }
    var genes: [Gene] = []
    // The first evaluation has nothing to reuse.
    for evaluation in 1..<max(2, evaluations) {
      for module in modules { genes.append(Gene("\(evaluation).\(module)", .choice(count: 2))) }
    }
    space = try SearchSpace(genes: genes)
    let plans = try [nil] + HeuristicPlan.standard.map { try $0.plan(for: run) }
    space = try SearchSpace(genes: genes, known: plans.map { candidate($0) })
    _ = try pipeline.evaluations(of: settings(candidate(plans.last ?? nil)).applied(to: outline.request))
  }

  public func settings(_ candidate: Candidate) -> SamplingSettings {
    var rows = modules.map { _ in "C" }
    for (index, value) in candidate.values.enumerated() { rows[index % modules.count] += value == 0 ? "C" : "R" }
    let used = zip(modules, rows).filter { $0.1.contains("R") }
    guard !used.isEmpty else { return base }
    let sites = used.sorted { $0.0 < $1.0 }.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
    var settings = base
    settings.accelerations.append(
      MethodChoice("plan", parameters: ["file": "{\"evaluations\":\(evaluations),\"sites\":{\(sites)}}"]))
    return settings
  }

  /// Everything computed where there is no plan.
  private func candidate(_ plan: SitePlan?) -> Candidate {
    Candidate(
      (1..<max(2, evaluations)).flatMap { evaluation in
        modules.map { module in plan?.actions[module].map { $0[evaluation] == .compute ? 0 : 1 } ?? 0 }
      })
  }
}
