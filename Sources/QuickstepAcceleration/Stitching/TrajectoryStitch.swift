public import QuickstepNN

/// T-Stitch: a small model does the first, noisy steps, where models agree, and the model itself the rest (Pan et al. 2024, arXiv 2402.14167).
public struct TrajectoryStitch: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "stitch", family: .acceleration, summary: "Lets smaller models do the first steps.", points: [.call],
    reads: ["state"], changes: ["which model is evaluated"],
    needs: ["models of the same samples, noise schedule and meaning of prompts"], state: "none; caches are those of each model",
    parameters: [
      ParameterDeclaration(
        name: "models", summary: "what does the first steps, the cheapest first", domain: .text("ids or folders joined by +"),
        standard: .text(""), searched: .text("ids of models")),
      ParameterDeclaration(
        name: "fraction", summary: "share of the steps of each of them, ρ", domain: .list(0...1), standard: .list([0.4]),
        neutral: .list([0]), searched: .number(0.05...0.9)),
      ParameterDeclaration(
        name: "rule", summary: "steps of a share: the nearest number, whole ones within it, or those in that part of the trained time",
        domain: .choice(Rule.allCases.map(\.rawValue)), standard: .choice(Rule.nearest.rawValue)),
      ParameterDeclaration(
        name: "scale", summary: "guidance scale of these models; 0 is that of the run", domain: .number(0...1000), standard: .number(0)),
      ParameterDeclaration(
        name: "history",
        summary: "what the solver made with a model: kept where the next one takes over, or forgotten, so that it begins anew",
        domain: .choice(["keep", "clear"]), standard: .choice("keep")),
    ], exactness: .approximate, reference: "arXiv 2402.14167, section 3.2")

  /// How many steps a share is.
  enum Rule: String, CaseIterable {
    /// Steps i with i < round(ρ·n).
    case nearest
    /// Steps i with (i + 1)/n ≤ ρ, as in the authors' pipelines of Stable Diffusion.
    case whole
    /// Steps from timesteps t ≥ (1 − ρ)·T, as in the authors' program for DiT.
    case time
  }

  let models: [String]
  let fractions: [Double]
  let rule: Rule
  let scale: Double
  let clearsHistory: Bool

  /// - Throws: ``AccelerationError`` without models, for another number of shares, and for shares that add up to more than 1.
  public init(_ values: ParameterValues) throws {
    models = (values.text("models") ?? "").split(separator: "+").map(String.init)
    fractions = values.list("fraction")
    rule = values.choice("rule").flatMap(Rule.init) ?? .nearest
    scale = values.number("scale")
    clearsHistory = values.choice("history") == "clear"
    guard fractions.contains(where: { $0 > 0 }) else { return }
    guard !models.isEmpty else { throw AccelerationError("'stitch' needs a model for the first steps: stitch:models=ID,fraction=0.4") }
    guard models.count == fractions.count else {
      throw AccelerationError("'stitch' has \(models.count) models and \(fractions.count) shares; one share per model is needed")
    }
    guard fractions.reduce(0, +) <= 1 + 1e-9 else {
      throw AccelerationError("the shares of 'stitch' add up to \(fractions.reduce(0, +)); at most 1")
    }
  }

  /// - Throws: ``AccelerationError`` with `rule=time` where nobody says up to what timestep the model was trained.
  public func parts(for run: RunOutline) throws -> [Part] {
    guard fractions.contains(where: { $0 > 0 }) else { return [] }
    guard rule != .time || run.trainedTime != nil else {
      throw AccelerationError(
        "'stitch' with rule=time needs a model with a last trained timestep; \(run.network) has none: rule=nearest counts steps")
    }
    var (segments, first): ([ModelSchedule.Segment], Int) = ([], 0)
    for (model, end) in zip(models, ends(in: run)) {
      if end > first { segments.append(ModelSchedule.Segment(model: model, steps: first..<end, scale: scale > 0 ? scale : nil)) }
      first = max(first, end)
    }
    if first < run.stepCount { segments.append(ModelSchedule.Segment(model: nil, steps: first..<run.stepCount)) }
    return [.models(ModelSchedule(method: Self.declaration.name, segments: segments, clearsHistory: clearsHistory))]
  }

  /// Where the steps of each of the models end.
  private func ends(in run: RunOutline) -> [Int] {
    // What sums of shares lose in rounding must cost no step.
    let slack = 1e-9
    var share = 0.0
    return fractions.map { fraction in
      share += fraction
      guard share > 0 else { return 0 }
      switch rule {
      case .nearest: return Int((share * Double(run.stepCount)).rounded())
      case .whole: return Int((share * Double(run.stepCount) + slack).rounded(.down))
      case .time:
        let limit = (run.trainedTime ?? 0) * (1 - share - slack)
        return run.firstCalls.first { $0.level.timestep < limit }?.step ?? run.stepCount
      }
    }
  }

  public func warnings(for run: RunOutline) -> [String] {
    let bounds = [0] + ends(in: run)
    let idle = zip(models, zip(bounds, bounds.dropFirst())).filter { $1.0 == $1.1 }.map {
      "'stitch': the share of '\($0.0)' is none of the \(run.stepCount) steps (rule=\(rule.rawValue)); it has no effect"
    }
    let isShared = bounds.contains { (1..<run.stepCount).contains($0) }
    return idle + (clearsHistory && !isShared ? ["'stitch': history=clear has no effect, since no model takes over from another"] : [])
  }

  public var companions: [String] { fractions.contains { $0 > 0 } ? models : [] }
}

/// Which model does which steps.
public struct ModelSchedule: Sendable, Hashable {
  /// Steps that follow each other and are one model's.
  public struct Segment: Sendable, Hashable {
    /// Id or folder; `nil` is the run's own model.
    public var model: String?
    /// Its steps.
    public var steps: Range<Int>
    /// Its guidance scale; `nil` is the run's.
    public var scale: Double?

    /// Steps of one model.
    public init(model: String?, steps: Range<Int>, scale: Double? = nil) { (self.model, self.steps, self.scale) = (model, steps, scale) }
  }

  /// Name of the method, for reports.
  public var method: String
  /// All steps of the run, in order.
  public var segments: [Segment]

  /// Whether the solver forgets where another model takes over.
  public var clearsHistory: Bool

  /// All steps of a run.
  public init(method: String, segments: [Segment], clearsHistory: Bool = false) {
    (self.method, self.segments, self.clearsHistory) = (method, segments, clearsHistory)
  }

  /// The steps at which the solver begins anew.
  public var restarts: [Int] { clearsHistory ? segments.dropFirst().map(\.steps.lowerBound) : [] }
}
