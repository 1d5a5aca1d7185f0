import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
public import QuickstepPipelines

/// What every single step of an exponential integrator decides: which prediction is a polynomial, of what order, with or without a corrector, with
/// which relaxation, and at which time it ends (S³ over the unified sampling framework, Liu et al. 2023, arXiv 2312.07243, section 4).
public struct DecisionSpace: SamplingSpace {
  public static let kind = SpaceKind(
    name: "decisions", summary: "What every step of a solver decides, and at which times (S³ over USF).", searcher: "s3"
  ) { try DecisionSpace($0) }

  public private(set) var space: SearchSpace
  private let count: Int
  /// The noisiest time.
  private let first: Int
  private let accelerations: [MethodChoice]
  private let interval: ClosedRange<Double>?
  private static let predictions: [PredictionKind] = [.denoised, .epsilon, .velocity, .blend(0.5)]
  private static let relaxations: [Relaxation] = [.none, .bh1, .bh2, .halfExponential, .minusHalfExponential]

  /// - Throws: `GenerationError` for models whose times are not whole numbers.
  public init(_ outline: SpaceOutline) throws {
    let base = outline.base(steps: 10)
    (accelerations, interval) = (base.accelerations, base.guidanceInterval)
    let pipeline = ImagePipeline(outline.model)
    var plain = outline.request
    (plain.steps, plain.solver, plain.solverParameters) = (base.steps, "ddim", [:])
    let run = try pipeline.outline(of: plain)
    count = run.stepCount
    let most = Int((run.calls.map(\.level.timestep).max() ?? 0).rounded())
    first = most
    guard most >= count, most > 1 else {
      throw GenerationError("the space 'decisions' needs a model with numbered times; those of \(run.network) end at \(most)")
    }
    var genes: [Gene] = []
    for step in 0..<count {
      // Later orders have evaluations to draw on that do not exist at the beginning.
      genes.append(Gene("order.\(step)", .integer(1...min(3, step + 1))))
      genes.append(Gene("prediction.\(step)", .choice(count: Self.predictions.count)))
      genes.append(Gene("corrector.\(step)", .choice(count: step + 1 < count ? 2 : 1)))
      genes.append(Gene("relaxation.\(step)", .choice(count: Self.relaxations.count)))
    }
    genes += (1..<count).map { Gene("time.\($0)", .integer(1...max(1, most - 1)), series: "times") }
    space = try SearchSpace(genes: genes)
    let times = run.calls.dropFirst().map { min(max(1, $0.level.timestep.rounded()), Double(most - 1)) }.sorted()
    let shapes = [(1, 0), (2, 0), (3, 0), (2, 1), (3, 1)]
    space = try SearchSpace(genes: genes, known: shapes.map { candidate(order: $0.0, corrector: $0.1, times: times) })
    _ = try pipeline.evaluations(of: settings(space.known[0]).applied(to: outline.request))
  }

  private func candidate(order: Int, corrector: Int, times: [Double]) -> Candidate {
    let data = Double(Self.predictions.firstIndex(of: .denoised) ?? 0)
    let none = Double(Self.relaxations.firstIndex(of: .none) ?? 0)
    let decisions = (0..<count).flatMap { step -> [Double] in
      // Lower orders at the end, as multistep solvers of few steps have them.
      let allowed = min(order, step + 1, count - step)
      return [Double(allowed), data, step + 1 < count ? Double(corrector) : 0, none]
    }
    return Candidate(decisions + times)
  }

  public func settings(_ candidate: Candidate) -> SamplingSettings {
    let steps = (0..<count).map { step -> UnifiedStep in
      let genes = candidate.values[(4 * step)...]
      let at = genes.startIndex
      let order = Int(genes[at])
      var decision = UnifiedStep(Self.predictions[Int(genes[at + 1])], order: order)
      let relaxation = Self.relaxations[Int(genes[at + 3])]
      for index in decision.derivatives.indices { decision.derivatives[index].relaxation = relaxation }
      if genes[at + 2] == 1 { decision.corrector = Corrector(order: order + 1) }
      return decision
    }
    var settings = SamplingSettings()
    (settings.accelerations, settings.guidanceInterval) = (accelerations, interval)
    let times = Set(candidate.values.suffix(count - 1)).sorted(by: >)
    // Equal times are one step: the last decisions fall away.
    let used = Array(steps.prefix(times.count + 1))
    settings.steps = used.count
    let text = (try? UnifiedDecisions(steps: Self.closed(used)).json) ?? ""
    settings.solver = MethodChoice("usf", parameters: ["decisions": text])
    settings.grid = MethodChoice(
      "explicit", parameters: ["timesteps": ([first] + times.map { Int($0) }).map(String.init).joined(separator: ",")])
    return settings
  }

  /// The last step has no corrector: nothing is evaluated behind it.
  private static func closed(_ steps: [UnifiedStep]) -> [UnifiedStep] {
    var steps = steps
    if let last = steps.indices.last { steps[last].corrector = nil }
    return steps
  }
}
