import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
public import QuickstepPipelines

/// At which timesteps a model is evaluated, and then which layers are left out in each evaluation (AutoDiffusion, Li et al. 2023,
/// arXiv 2309.10438, section 3). The times are a set; layers belong to the second stage of a search in stages.
public struct TimesSpace: SamplingSpace {
  public static let kind = SpaceKind(
    name: "times", summary: "At which times a model is evaluated, and which layers it leaves out there (AutoDiffusion).",
    searcher: "autodiffusion"
  ) { try TimesSpace($0) }

  public private(set) var space: SearchSpace
  private let base: SamplingSettings
  private let layers: Int
  private let count: Int

  /// - Throws: `GenerationError` for solvers of several evaluations per step, and for models whose times are not whole numbers.
  public init(_ outline: SpaceOutline) throws {
    base = outline.base(steps: 10)
    let pipeline = ImagePipeline(outline.model)
    let run = try pipeline.outline(of: base.applied(to: outline.request))
    guard run.evaluations == run.stepCount else {
      throw GenerationError(
        "the space 'times' needs a solver of one evaluation per step; this run has \(run.evaluations) in \(run.stepCount) steps")
    }
    let times = run.calls.map(\.level.timestep)
    let most = Int((try pipeline.outline(of: outline.request).calls.map(\.level.timestep).max() ?? 999).rounded())
    guard most >= run.stepCount, most > 1 else {
      throw GenerationError("the space 'times' needs a model with numbered times; those of \(run.network) end at \(most)")
    }
    count = run.stepCount
    layers = run.modules(LayerSkip.kinds).count
    var genes = (0..<count).map { Gene("time.\($0)", .integer(0...most), series: "times") }
    for evaluation in 0..<count {
      for layer in 0..<layers { genes.append(Gene("skip.\(evaluation).\(layer)", .choice(count: 2), stage: 1)) }
    }
    let evenly = times.map { min(max(0, $0.rounded()), Double(most)) }
    space = try SearchSpace(genes: genes, known: [Candidate(evenly + Array(repeating: 0, count: count * layers))])
  }

  public func settings(_ candidate: Candidate) -> SamplingSettings {
    // Equal times would be one evaluation: such a candidate has fewer steps.
    let times = Array(Set(candidate.values.prefix(count))).sorted(by: >)
    var settings = base
    settings.grid = MethodChoice("explicit", parameters: ["timesteps": times.map { String(Int($0)) }.joined(separator: ",")])
    settings.steps = times.count
    let lists = (0..<times.count).map { evaluation in
      (0..<layers).filter { candidate.values[count + evaluation * layers + $0] == 1 }
    }
    if lists.contains(where: { !$0.isEmpty }) {
      let text = lists.map { "[" + $0.map(String.init).joined(separator: ",") + "]" }.joined(separator: ",")
      settings.accelerations.append(MethodChoice("layer-skip", parameters: ["file": "{\"evaluations\":\(times.count),\"skip\":[\(text)]}"]))
    }
    return settings
  }
}
