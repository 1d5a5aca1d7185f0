import QuickstepDiffusion
public import QuickstepNN
public import QuickstepTensor

/// Carries out what methods do inside the network, in one request: the only policy there is for plans and for gates alike.
public final class SiteInterpreter: SitePolicy {
  private var actors: [Site: SiteActor] = [:]
  private var skipped: [Site: [SiteAction]] = [:]
  private let sites: [SiteActor]
  private let range: RangeActor?
  private let list: ListActor?
  /// Modules of the network that were computed: attentions, feed-forward layers, residual blocks.
  public var computedModules: Int { Int(moduleWork.rounded()) }
  /// Visits of modules at which some tokens were computed count as their share.
  private var moduleWork = 0.0

  /// - Parameter parts: of all methods; they have been checked to go together.
  init(_ parts: [Part]) {
    var sites: [SiteActor] = []
    var (range, list): (RangeActor?, ListActor?)
    for part in parts {
      switch part {
      case .sites(let cache):
        let actor = SiteActor(cache)
        sites.append(actor)
        for site in cache.sites { actors[site] = actor }
        if case .plan(let plan) = cache.decider {
          for (site, actions) in plan where site.kind == .residual && actions.contains(.identity) { skipped[site] = actions }
        }
      case .range(let cache): range = RangeActor(cache)
      case .list(let method): list = ListActor(method)
      case .call, .models, .table: break
      }
    }
    (self.sites, self.range, self.list) = (sites, range, list)
  }

  /// What its methods did, in their order.
  public var reports: [AccelerationReport] {
    sites.map(\.log.finished) + (range.map { [$0.log.finished] } ?? []) + (list.map { [$0.log.finished] } ?? [])
  }

  /// Bytes held.
  public var heldBytes: Int { sites.reduce(0) { $0 + $1.bytes } + (range?.bytes ?? 0) + (list?.bytes ?? 0) }

  public func evaluate(
    _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    guard let actor = actors[site] else { return try counted(site, input, of: input, compute) }
    return try actor.evaluate(site, input: input, context: context) { try counted(site, $0, of: input, compute) }
  }

  public func wantedSignal(_ site: Site, context: StepContext) -> AttentionSignal? { actors[site]?.wantedSignal(site, context) }

  public func take(_ signal: [Tensor], of site: Site, context: StepContext) { actors[site]?.take(signal, of: site, context) }

  public func bypasses(_ site: Site, context: StepContext) -> Bool {
    guard let actions = skipped[site], context.evaluation < actions.count, actions[context.evaluation] == .identity else { return false }
    actors[site]?.log.note(.identity, at: site.path, context)
    return true
  }

  public func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    func run(_ index: Int, _ value: [Tensor]) throws -> [Tensor] {
      try evaluate(blocks[index], input: value, context: context) { try block(index, $0) }
    }
    if let list { return try list.run(blocks, input: input, context: context, guest: guest, block: run) }
    guard let range else { return try blocks.indices.reduce(input) { try run($1, $0) } }
    return try range.run(blocks, input: input, context: context, modulated: modulated, block: run)
  }

  /// - Parameter whole: what came to the site, of which `input` may be some tokens.
  private func counted(
    _ site: Site, _ input: [Tensor], of whole: [Tensor], _ compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    if site.kind.isModule {
      let (part, all) = (input.first?.count ?? 1, whole.first?.count ?? 1)
      moduleWork += all > 0 ? Double(part) / Double(all) : 1
    }
    return try compute(input)
  }
}

/// One ``SiteCache`` in one request.
final class SiteActor {
  let cache: SiteCache
  let log: ActionLog
  private var held: [Site: BranchHistories] = [:]
  private var gates: [[String]: (gate: any Gate, evaluation: Int, action: SiteAction)] = [:]
  private let chooser: TokenChooser?
  private var valueBytes = 0
  var bytes: Int { valueBytes + (chooser?.bytes ?? 0) }

  init(_ cache: SiteCache) {
    self.cache = cache
    log = ActionLog(cache.method)
    chooser = cache.tokens.map { TokenChooser($0, method: cache.method) }
  }

  /// What the choice of tokens in an attention's block goes by: told when all tokens are computed, and others will be chosen later.
  func wantedSignal(_ site: Site, _ context: StepContext) -> AttentionSignal? {
    guard let signal = cache.tokens?.score.signal, site.kind == (signal == .entropy ? .crossAttention : .attention),
      isReadLater(site, context), case .plan(let plan) = cache.decider, let actions = plan[site],
      context.evaluation < actions.count, actions[context.evaluation] == .compute
    else { return nil }
    return signal
  }

  func take(_ signal: [Tensor], of site: Site, _ context: StepContext) { chooser?.take(signal, of: site, context) }

  func evaluate(
    _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    let wanted = try decision(site, context)
    var forced = false
    switch wanted {
    case .compute: break
    case .identity:
      log.note(.identity, at: site.path, context)
      return try withTensorErrors { site.kind.addsToItsInput ? input.map { $0.zerosLike() } : input }
    case .reuse, .forecast, .correct:
      if !isStale(site, context), let answer = try answer(site, wanted, context, samples: input.first?.size(0)) {
        log.note(wanted, at: site.path, context)
        return answer
      }
      forced = true
    case .tokens:
      if !isStale(site, context), let answer = try refreshed(site, input, context, compute) {
        log.note(.tokens, at: site.path, context)
        if isReadLater(site, context) { try keep(answer, site, context) }
        return answer
      }
      forced = true
    }
    let output = try compute(input)
    log.note(.compute, at: site.path, context, forced: forced)
    if isReadLater(site, context) {
      if plans(.tokens, at: site) { try chooser?.noteAll(site, input: input, context) }
      try keep(output, site, context)
    }
    return output
  }

  private func refreshed(
    _ site: Site, _ input: [Tensor], _ context: StepContext, _ compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor]? {
    guard let chooser, let held = try held[site]?.answer(for: context.branches, { $0.entries.first?.values }) else { return nil }
    return try chooser.refreshed(held, at: site, input: input, context, compute: compute)
  }

  private func plans(_ action: SiteAction, at site: Site) -> Bool {
    guard case .plan(let plan) = cache.decider else { return false }
    return plan[site]?.contains(action) ?? false
  }

  private func decision(_ site: Site, _ context: StepContext) throws -> SiteAction {
    switch cache.decider {
    case .plan(let plan):
      guard let actions = plan[site], context.evaluation < actions.count else { return .compute }
      return actions[context.evaluation]
    case .gate(let make):
      let known = gates[context.branches]
      if let known, known.evaluation == context.evaluation { return known.action }
      let gate = known?.gate ?? make()
      let last = held[site]?.newest(of: context.branches)
      let action = try gate.action(GateMoment(context: context, signal: nil, lastComputed: last, log: log))
      gates[context.branches] = (gate, context.evaluation, action)
      return action
    }
  }

  private func answer(_ site: Site, _ action: SiteAction, _ context: StepContext, samples: Int?) throws -> [Tensor]? {
    let estimate = try held[site]?.answer(for: context.branches) { history in
      if action == .correct, let correction = cache.correction {
        return try history.entries.first.map { try correction(site, $0.values, context) }
      }
      return try history.estimate(cache.rule, target: cache.abscissa(context), order: action.order)
    }
    return try estimate.flatMap { try History.fitted($0, to: samples, branches: context.branches.count) }
  }

  /// Whether the plan has had the site computed since, in an evaluation in which these branches were left out.
  private func isStale(_ site: Site, _ context: StepContext) -> Bool {
    guard case .plan(let plan) = cache.decider, let actions = plan[site] else { return false }
    return actions.isStale(held[site]?.newest(of: context.branches), at: context.evaluation)
  }

  /// A value that no later evaluation of the plan reads need not be held.
  private func isReadLater(_ site: Site, _ context: StepContext) -> Bool {
    guard case .plan(let plan) = cache.decider, let actions = plan[site] else { return true }
    return actions.dropFirst(context.evaluation + 1).contains(where: \.readsHistory)
  }

  private func keep(_ output: [Tensor], _ site: Site, _ context: StepContext) throws {
    var histories = held[site] ?? BranchHistories()
    valueBytes -= histories.bytes
    try histories.append(
      output, branches: context.branches, node: cache.abscissa(context), evaluation: context.evaluation,
      depth: cache.rule.depth(order: cache.order))
    valueBytes += histories.bytes
    log.note(bytes: bytes)
    held[site] = histories
  }
}

extension Site.Kind {
  /// Whether such sites are counted by ``SiteInterpreter/computedModules``: attentions, feed-forward layers and residual blocks.
  package var isModule: Bool {
    switch self {
    case .attention, .crossAttention, .feedForward, .residual: true
    case .block, .parallel, .down, .inner, .middle, .up, .control: false
    }
  }

  /// Whether such sites are blocks of a list or stand within them.
  var liesInBlocks: Bool {
    switch self {
    case .block, .attention, .crossAttention, .feedForward, .parallel: true
    case .down, .inner, .middle, .up, .residual, .control: false
    }
  }

  /// Whether the site's output is added to its input by the network, so that "nothing" is zeros.
  var addsToItsInput: Bool {
    switch self {
    case .attention, .crossAttention, .feedForward, .parallel: true
    case .block, .down, .inner, .middle, .up, .residual, .control: false
    }
  }
}
