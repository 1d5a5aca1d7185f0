public import QuickstepPipelines

/// A search space whose points are ways to sample with a model.
public protocol SamplingSpace: Sendable {
  /// The genes, with ways that are worth trying first.
  var space: SearchSpace { get }
  /// What a candidate stands for.
  func settings(_ candidate: Candidate) -> SamplingSettings
}

/// What a space is made for.
public struct SpaceOutline: Sendable {
  /// The model; an outline without weights will do.
  public var model: LoadedModel
  /// The exact run; its steps are the most that are tried.
  public var request: GenerationRequest
  /// Ids or folders of models that may do the first steps.
  public var companions: [String] = []
  /// The fewest steps that are tried.
  public var leastSteps = 4
  /// What was fitted to the exact run.
  public var fits = Fits()
  /// Ways to begin with. Spaces that vary one part of a run keep the rest as the first of these has it.
  public var known: [SamplingSettings] = []

  /// See the properties.
  public init(model: LoadedModel, request: GenerationRequest) { (self.model, self.request) = (model, request) }

  /// The way that the others are variations of: the first known one, or fewer steps of the exact run.
  func base(steps: Int) -> SamplingSettings {
    if let first = known.first { return first }
    var settings = SamplingSettings()
    settings.steps = min(steps, request.steps ?? model.defaults.steps)
    return settings
  }
}

/// A kind of space by its name. Adding one is its file, its test and a line in ``AllSpaces``.
public struct SpaceKind: Sendable {
  /// For the command line.
  public var name: String
  /// One sentence.
  public var summary: String
  /// The searcher it is searched by where nobody says.
  public var searcher: String
  /// - Throws: `GenerationError` or `SearchError` where the model or the run does not fit.
  public var make: @Sendable (SpaceOutline) throws -> any SamplingSpace
}

/// Every kind of space, the one for everything together first.
public enum AllSpaces {
  /// All kinds.
  public static let all = [JointSpace.kind, PlanSpace.kind, TimesSpace.kind, DecisionSpace.kind]

  /// - Throws: `GenerationError` that lists the names.
  public static func named(_ name: String) throws -> SpaceKind {
    guard let found = all.first(where: { $0.name == name }) else {
      throw GenerationError("there is no space '\(name)'; there is \(all.map(\.name).joined(separator: ", "))")
    }
    return found
  }
}

extension JointSpace: SamplingSpace {
  /// Solvers, grids, steps, caches, guidance and stitching together.
  public static let kind = SpaceKind(
    name: "joint", summary: "Solver, grid, steps, caches, guidance and stitching together.", searcher: "nsga-2"
  ) { outline in
    try JointSpace(
      model: outline.model, request: outline.request, companions: outline.companions, leastSteps: outline.leastSteps, known: outline.known,
      fits: outline.fits)
  }
}
