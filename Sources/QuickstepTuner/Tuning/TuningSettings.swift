public import QuickstepPipelines

/// What a recipe has to reach.
public enum TuningTarget: Sendable, Hashable {
  /// The fastest whose figure of likeness is at least this good, by the worse end of its interval.
  case quality(Double)
  /// The one nearest to the exact run that is at least this many times as fast.
  case speed(Double)
  /// The fastest that keeps every figure of ``TuningSettings/safeguards``, however near it is to the exact run.
  case kept
}

/// How a model is tuned.
public struct TuningSettings: Sendable {
  /// The exact run: everything but prompts and seeds. Its steps are the most that are tried.
  public var exact: GenerationRequest
  /// What the search makes pictures of.
  public var prompts: [String]
  /// What is made to check what the search found; others than ``prompts``, with other seeds.
  public var heldOut: [String]
  /// Seed of the search and of the first picture; the others count up.
  public var seed: UInt64 = 0
  /// Seconds for everything.
  public var budget: Double
  /// What the recipe has to reach.
  public var target = TuningTarget.quality(0.95)
  /// Ids or folders of models that may do the first steps.
  public var companions: [String] = []
  /// Which kind of ways are searched, a name of ``AllSpaces``.
  public var space = JointSpace.kind.name
  /// Name of the searcher, and its parameters; `nil` takes the one that goes with the space.
  public var searcher: MethodChoice?
  /// Most ways that are tried, those of earlier sittings included; `nil` leaves it to the budget.
  public var trialLimit: Int?
  /// What solvers are fitted to before the search, a full run each, with seeds of their own; empty leaves such solvers out.
  public var fitting: [String] = []
  /// Ways to begin with, beside those that every search begins with.
  public var known: [SamplingSettings] = []
  /// The fewest steps that are tried.
  public var leastSteps = 4
  /// Most points of the front that are checked.
  public var frontSize = 6
  /// Figures that the recipe has to keep beside its target.
  public var safeguards: [Safeguard] = []
  /// What pictures for ``safeguards`` are made of, one each, with seeds of their own; such as the networks know.
  public var safeguardPrompts: [String] = []
  /// The search's archive, which a later run goes on with.
  public var archive: String

  /// See the properties.
  public init(exact: GenerationRequest, prompts: [String], heldOut: [String], budget: Double, archive: String) {
    (self.exact, self.prompts, self.heldOut, self.budget, self.archive) = (exact, prompts, heldOut, budget, archive)
  }

  /// Seeds of the pictures checked lie far from those searched with.
  static let heldOutSeeds: UInt64 = 1_000_000
  /// And those of the runs that solvers are fitted to, and of the pictures for safeguards, from both.
  static let fittingSeeds: UInt64 = 500_000
  /// See above.
  static let safeguardSeeds: UInt64 = 2_000_000

  func request(_ prompts: [String], firstSeed: UInt64) -> GenerationRequest {
    var request = exact
    (request.prompts, request.seeds) = (prompts, prompts.indices.map { firstSeed &+ UInt64($0) })
    request.batch = 1
    return request
  }

  /// - Throws: `GenerationError` naming the setting.
  func check() throws {
    guard !prompts.isEmpty, !heldOut.isEmpty else { throw GenerationError("tuning needs prompts to search with and others to check with") }
    if let both = Set(fitting).intersection(heldOut).min() {
      throw GenerationError("'\(both)' is among the prompts to fit solvers to and those to check with; they have to differ")
    }
    if let both = Set(prompts).intersection(heldOut).min() {
      throw GenerationError("'\(both)' is among the prompts to search with and those to check with; they have to differ")
    }
    guard budget > 0, budget.isFinite else { throw GenerationError("the budget is \(budget) s; it has to be positive") }
    guard frontSize >= 1 else { throw GenerationError("\(frontSize) points of the front are to be checked; at least 1 is needed") }
    guard exact.accelerations.isEmpty else { throw GenerationError("the exact run is one without methods of acceleration") }
    guard leastSteps >= 1 else { throw GenerationError("at least \(leastSteps) steps; 1 is the fewest there are") }
    if let trialLimit, trialLimit < 1 { throw GenerationError("\(trialLimit) trials; at least 1 is needed") }
    if safeguards.isEmpty != safeguardPrompts.isEmpty || safeguardPrompts.count == 1 {
      throw GenerationError("\(safeguards.count) figures to be kept and \(safeguardPrompts.count) pictures for them; at least 2 are needed")
    }
    if let odd = safeguards.first(where: { !(0...1).contains($0.margin) }) {
      throw GenerationError("the margin of \(odd.name) is \(odd.margin); it has to be in 0…1")
    }
    switch target {
    case .kept where safeguards.isEmpty: throw GenerationError("there are no figures to be kept")
    case .speed(let factor) where !(factor >= 1 && factor.isFinite):
      throw GenerationError("the target is \(factor) times the exact run's speed; it has to be at least 1")
    case .quality(let figure) where !figure.isFinite: throw GenerationError("the target of quality is \(figure)")
    default: break
    }
  }
}

/// Where tuning stands.
public enum TuningProgress: Sendable {
  /// What is being done, in a few words.
  case stage(String)
  /// A trial of the search was done.
  case search(SearchProgress, SamplingSettings?)
  /// Pictures are made to check what was found: the share done, and what is at work.
  case check(Double, String)
}
