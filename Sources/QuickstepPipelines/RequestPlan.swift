public import QuickstepAcceleration
import QuickstepNN

/// What a request's methods of acceleration plan, for each model that does a part of the run.
public struct RequestPlan: Sendable {
  /// What they plan within the part of one model.
  public struct Part: Sendable {
    /// Name of the model.
    public var model: String
    /// Its evaluations among those of the whole run; at least one.
    public var evaluations: Range<Int>
    /// Paths of its network's sites, in the order in which they are visited.
    public var sites: [String]
    /// What is known before the run; its first evaluation is the part's.
    public var plan: SitePlan
    /// Whether some of the methods decide while running, so that ``plan`` does not tell all.
    public var decidesWhileRunning: Bool
    /// What is kept where that is no output, by the names of plans; also of methods that decide while running.
    public var keeps: [String: SitePlan.Kept]

    init(_ segment: RunSegment) throws {
      (model, evaluations, sites) = (segment.model.name, segment.evaluations, segment.outline.sites.map(\.path))
      plan = try segment.acceleration.plan(for: segment.outline)
      decidesWhileRunning = segment.acceleration.decidesWhileRunning
      keeps = segment.acceleration.keeps(for: segment.outline)
    }
  }

  /// In the order of the run; a single one where no method lets models share it.
  public var parts: [Part]
  /// Whether a method says which model does which steps, be it that one does all of them.
  public var isShared: Bool
  /// What a plan cannot say of the methods within the parts, so that following it gives something else; in sentences.
  public var beyondPlans: [String]
  /// What the user should know of the request and of its methods, also of those that do not act in a part; each once.
  public var warnings: [String]

  /// - Parameter known: what is to be known of the request as a whole.
  init(_ segments: [RunSegment], isShared: Bool, warnings known: [String]) throws {
    self.isShared = isShared
    parts = try segments.filter { !$0.evaluations.isEmpty }.map(Part.init)
    var seen: Set<String> = []
    beyondPlans = segments.flatMap(\.acceleration.beyondPlans).filter { seen.insert($0).inserted }
    warnings = Self.warnings(segments, isShared: isShared, known: known)
  }

  /// What the user should know of a request, its models and its methods, each once.
  static func warnings(_ segments: [RunSegment], isShared: Bool, known: [String]) -> [String] {
    // Methods see each part as a run of its own; where there is one part alone, what they say of it is known.
    let ofParts = segments.flatMap { segment in
      segment.warnings + (isShared ? segment.acceleration.warnings.map { "in \(segment.outline.network): \($0)" } : [])
    }
    var told: Set<String> = []
    return (known + ofParts).filter { told.insert($0).inserted }
  }
}

extension ImagePipeline {
  /// What the request's methods of acceleration plan. Checks the request as ``generate(_:)`` does, but for prompts.
  /// - Throws: as ``evaluations(of:)``; `GenerationError` where a model that shares the run is not loaded, or does not go with this one.
  public func plan(of request: GenerationRequest) throws -> RequestPlan {
    let resolved = try ResolvedRequest(request, model: model)
    return try RequestPlan(
      resolved.segments(request, model: model, companions: companions), isShared: resolved.acceleration.models != nil,
      warnings: resolved.warnings)
  }
}
