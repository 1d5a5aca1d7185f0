public import QuickstepDiffusion
import QuickstepNN

/// The methods of a request, checked as a whole. A value: what a request changes is in its ``AccelerationSession``.
public struct Acceleration: Sendable {
  /// Names of the methods, in order.
  public let methods: [String]
  /// What the user should know.
  public let warnings: [String]
  let parts: [(method: String, part: Part)]
  private let accelerators: [any Accelerator]

  /// - Parameters:
  ///   - methods: in the order in which they were asked for.
  ///   - run: what they act on.
  /// - Throws: ``AccelerationError`` where a method does not fit the run, or two of them would act at one point.
  public init(_ methods: [any Accelerator], run: RunOutline) throws {
    var (parts, warnings): ([(method: String, part: Part)], [String]) = ([], [])
    for method in methods {
      let name = type(of: method).declaration.name
      parts += try method.parts(for: run).map { (name, $0) }
      warnings += method.warnings(for: run)
    }
    if !methods.isEmpty, run.evaluations <= 4 {
      warnings.append(
        "a run of \(run.evaluations) evaluations has next to nothing that could be reused; acceleration is meant for runs of ten and more")
    }
    try Self.check(parts)
    (self.methods, self.parts, self.warnings) = (methods.map { type(of: $0).declaration.name }, parts, warnings)
    accelerators = methods
  }

  /// The same methods within a part of the run, which they see as a run of its own, without those that divide it.
  ///
  /// A method that does not fit the part's model does not act there.
  /// - Returns: with what the user should know.
  public func narrowed(to run: RunOutline) throws -> (acceleration: Acceleration, warnings: [String]) {
    var (fitting, warnings): ([any Accelerator], [String]) = ([], [])
    for method in accelerators where method.companions.isEmpty {
      do {
        _ = try method.parts(for: run)
        fitting.append(method)
      } catch {
        warnings.append("'\(type(of: method).declaration.name)' does not act in \(run.network): \(error)")
      }
    }
    return (try Acceleration(fitting, run: run), warnings)
  }

  /// Bytes of weights and tables that the methods bring along.
  public var ownBytes: Int { accelerators.reduce(0) { $0 + $1.ownBytes } }

  /// The solver's table with the changes of the methods that make any.
  public func applied(to table: Tableau) throws -> Tableau {
    try parts.reduce(table) { table, entry in if case .table(let change) = entry.part { try change(table) } else { table } }
  }

  /// Whether a method acts on the solver's table.
  public func changesTable(by method: String) -> Bool {
    parts.contains { entry in if case .table = entry.part { entry.method == method } else { false } }
  }

  /// Whether a method does anything in the network or around its calls.
  public var acts: Bool {
    parts.contains { entry in
      switch entry.part {
      case .sites, .range, .list, .call: true
      case .models, .table: false
      }
    }
  }

  /// Which model does which steps, where several share the run.
  public var models: ModelSchedule? {
    parts.lazy.compactMap { entry in if case .models(let schedule) = entry.part { schedule } else { nil } }.first
  }

  /// State of one request, or of one batch of it.
  public func makeSession() -> AccelerationSession { AccelerationSession(parts.map(\.part)) }

  /// What is planned, where it is known before the run: names as in ``SitePlan``.
  public func plan(for run: RunOutline) throws -> SitePlan {
    var actions: [String: [SiteAction]] = [:]
    for entry in parts { actions.merge(entry.part.planned(run) ?? [:]) { first, _ in first } }
    return try SitePlan(evaluations: run.evaluations, actions: actions, keeps: keeps(for: run).filter { actions[$0.key] != nil })
  }

  /// What is kept where that is no output, by the names of plans; also of methods that decide while running.
  public func keeps(for run: RunOutline) -> [String: SitePlan.Kept] {
    parts.reduce(into: [:]) { $0.merge($1.part.keeps(run)) { first, _ in first } }
  }

  /// What of the methods a ``SitePlan`` does not hold, so that following it gives something else; in sentences.
  public var beyondPlans: [String] {
    var seen: Set<String> = []
    return parts.compactMap { entry in entry.part.beyondPlans.map { "'\(entry.method)' \($0)" } }.filter { seen.insert($0).inserted }
  }

  /// Whether some decisions are taken while running, so that ``plan(for:)`` does not tell all.
  public var decidesWhileRunning: Bool {
    parts.contains { entry in
      switch entry.part {
      case .sites(let cache): if case .gate = cache.decider { true } else { false }
      case .range(let cache): cache.planned == nil
      case .call(let method): method.planned == nil
      case .list: true
      case .models, .table: false
      }
    }
  }

  /// Methods that decide inside the network while running. They decide once for all branches of guidance that are evaluated together, and for
  /// each by itself where branches are evaluated one after the other.
  public var decidingInside: [String] {
    var names: [String] = []
    for entry in parts where entry.part.decidesInside && !names.contains(entry.method) { names.append(entry.method) }
    return names
  }

  private static func check(_ parts: [(method: String, part: Part)]) throws {
    var owners: [Site: String] = [:]
    var (listOwner, callOwner, modelOwner): (String?, String?, String?)
    var branchOwners: [String: String] = [:]
    for (method, part) in parts {
      switch part {
      case .sites(let cache):
        for site in cache.sites {
          if let other = owners[site] { throw conflict(other, method, "at site '\(site.path)'") }
          owners[site] = method
        }
      case .range, .list:
        if let other = listOwner { throw conflict(other, method, "on the list of blocks") }
        listOwner = method
      case .call(let call):
        if call.isExclusive, let other = callOwner { throw conflict(other, method, "whether the network is called at all") }
        if call.isExclusive { callOwner = method }
        for branch in call.branches.sorted() {
          if let other = branchOwners[branch] { throw conflict(other, method, "when guidance's branch '\(branch)' is evaluated") }
          branchOwners[branch] = method
        }
      case .models:
        if let other = modelOwner { throw conflict(other, method, "which model is evaluated") }
        modelOwner = method
      case .table: break
      }
    }
    for case (let method, .list(let list)) in parts {
      // A block that runs twice would be answered, or kept, twice in one evaluation.
      for (site, owner) in owners where site.kind.liesInBlocks && list.repeated.contains(site.depth) {
        throw AccelerationError(
          "'\(method)' runs the blocks \(list.repeated.lowerBound)…\(list.repeated.upperBound - 1) twice in an evaluation, where '\(owner)' would "
            + "answer '\(site.path)' from memory; leave one of them out")
      }
    }
    // A site within one that another method answers would be kept and never read, or read and never refreshed.
    let inner = owners.filter { $0.key.kind == .inner }
    for (site, method) in owners where [.down, .up, .middle, .inner].contains(site.kind) {
      if let (other, owner) = inner.first(where: { $0.value != method && site.depth > $0.key.depth }) {
        throw conflict(owner, method, "on a U-Net's way down and up ('\(other.path)' holds '\(site.path)')")
      }
    }
  }

  private static func conflict(_ first: String, _ second: String, _ place: String) -> AccelerationError {
    first == second
      ? AccelerationError("'\(first)' is given twice: both would decide \(place); leave one of them out")
      : AccelerationError("'\(first)' and '\(second)' would both decide \(place); leave one of them out")
  }
}

/// What the methods of one request remember. Not to be shared between tasks.
public final class AccelerationSession {
  /// Acts at the sites; `nil` when no method does.
  public let sites: SiteInterpreter?
  /// Stand between guidance and the network, the outermost first.
  public let calls: [any CallPolicy]

  init(_ parts: [Part]) {
    let inside = parts.contains { part in
      switch part {
      case .sites, .range, .list: true
      case .call, .models, .table: false
      }
    }
    sites = inside ? SiteInterpreter(parts) : nil
    calls = parts.compactMap { if case .call(let method) = $0 { method.make() } else { nil } }
  }

  /// What the methods did.
  public var reports: [AccelerationReport] { (sites?.reports ?? []) + calls.compactMap { ($0 as? any ReportingCallPolicy)?.report } }
}

/// A call policy that counts what it does.
public protocol ReportingCallPolicy: CallPolicy {
  /// What it did.
  var report: AccelerationReport { get }
}

extension Part {
  /// Whether it decides while running by what it sees inside the network.
  var decidesInside: Bool {
    switch self {
    case .sites(let cache): if case .gate = cache.decider { true } else { false }
    case .range(let cache): cache.planned == nil
    case .list(let method): method.decides
    case .call, .models, .table: false
    }
  }

  /// What is kept where that is no output, by the names of plans.
  func keeps(_ run: RunOutline) -> [String: SitePlan.Kept] {
    switch self {
    case .range(let cache) where cache.value == .residual: [cache.name(blocks: run.blocks.count): .residual]
    case .call(let method): method.keeps
    case .sites, .range, .list, .models, .table: [:]
    }
  }

  /// What a plan cannot say of it.
  var beyondPlans: String? {
    switch self {
    case .sites(let cache):
      if cache.correction != nil || cache.tokens != nil { return "changes what it keeps by rules of its own" }
      return Self.beyondPlans(cache.rule, cache.abscissa, order: cache.order)
    case .range(let cache):
      if cache.correction != nil { return "corrects what it keeps" }
      return Self.beyondPlans(cache.rule, cache.abscissa, order: cache.order)
    case .call(let method):
      if method.isExclusive { return "answers whole evaluations by a rule of its own" }
      return Self.beyondPlans(method.rule, .evaluation, order: method.planned?.values.joined().map(\.order).max() ?? 1)
    case .list: return "runs the blocks by itself"
    case .models: return "changes the model, which is not in a plan"
    case .table: return "changes the solver's table, which is not in a plan"
    }
  }

  private static func beyondPlans(_ rule: any Extrapolation, _ abscissa: Abscissa, order: Int) -> String? {
    if order > 0, abscissa != .evaluation { return "forecasts against another distance than evaluations" }
    if order > 0, rule is NewtonExtrapolation { return "forecasts by Newton's rule, which needs rule=newton beside the plan" }
    return rule is TaylorExtrapolation || rule is Hold || order == 0 ? nil : "forecasts by a rule of its own"
  }

  /// Actions by name, where they are known beforehand.
  func planned(_ run: RunOutline) -> [String: [SiteAction]]? {
    switch self {
    case .sites(let cache):
      guard case .plan(let plan) = cache.decider else { return nil }
      return Dictionary(plan.map { ($0.key.path, $0.value) }) { first, _ in first }
    case .range(let cache): return cache.planned.map { [cache.name(blocks: run.blocks.count): $0] }
    case .call(let method): return method.planned
    case .list, .models, .table: return nil
    }
  }
}
