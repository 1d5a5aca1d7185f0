import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor

/// One ``RangeCache`` in one request.
final class RangeActor {
  let cache: RangeCache
  let log: ActionLog
  private var held = BranchHistories()
  private var gates: [[String]: any Gate] = [:]

  var bytes: Int { held.bytes + gates.values.reduce(0) { $0 + $1.heldBytes } }

  init(_ cache: RangeCache) {
    self.cache = cache
    log = ActionLog(cache.method)
  }

  func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    let middle = cache.first..<max(cache.first, blocks.count - cache.last)
    let before = try (0..<min(cache.first, blocks.count)).reduce(input) { try block($1, $0) }
    let action = try decision(input: input, before: before, context, modulated)
    let name = cache.name(blocks: blocks.count)
    let after: [Tensor]
    let isStale = cache.planned?.isStale(held.newest(of: context.branches), at: context.evaluation) ?? false
    if action != .compute, !isStale, let answer = try answer(action, before, context) {
      log.note(action, at: name, context)
      after = answer
    } else {
      after = try middle.reduce(before) { try block($1, $0) }
      log.note(.compute, at: name, context, forced: action != .compute)
      try keep(after, before, context)
    }
    return try (middle.upperBound..<blocks.count).reduce(after) { try block($1, $0) }
  }

  private func decision(
    input: [Tensor], before: [Tensor], _ context: StepContext, _ modulated: (([Tensor]) throws -> Tensor)?
  ) throws -> SiteAction {
    let gate = gates[context.branches] ?? cache.gate()
    gates[context.branches] = gate
    let signal = try signal(input, before, modulated)
    return try gate.action(GateMoment(context: context, signal: signal, lastComputed: held.newest(of: context.branches), log: log))
  }

  private func signal(_ input: [Tensor], _ before: [Tensor], _ modulated: (([Tensor]) throws -> Tensor)?) throws -> Tensor? {
    switch cache.signal {
    case .none: return nil
    case .modulated: return try withTensorErrors { try modulated?(input) }
    case .input: return before.first
    case .change:
      guard let after = before.first, let first = input.first else { return nil }
      return try withTensorErrors { after - first }
    }
  }

  private func answer(_ action: SiteAction, _ before: [Tensor], _ context: StepContext) throws -> [Tensor]? {
    if action == .identity { return before }
    let target = cache.abscissa(context)
    guard
      var estimate = try held.answer(
        for: context.branches, { history in try history.estimate(cache.rule, target: target, order: action.order) })
    else { return nil }
    if action == .correct, let correction = cache.correction { estimate = try correction(estimate, context) }
    guard cache.value == .residual else { return estimate }
    return try withTensorErrors { zip(before, estimate).map { $0 + $1 } }
  }

  /// A last block may give fewer tensors than it takes.
  private func keep(_ after: [Tensor], _ before: [Tensor], _ context: StepContext) throws {
    let value = try cache.value == .output ? after : withTensorErrors { zip(after, before).map { $0 - $1 } }
    try held.append(
      value, branches: context.branches, node: cache.abscissa(context), evaluation: context.evaluation,
      depth: cache.rule.depth(order: cache.order))
    log.note(bytes: bytes)
  }
}

/// One ``ListMethod`` in one request.
final class ListActor {
  let log: ActionLog
  private let runner: any ListRunner
  var bytes: Int { runner.heldBytes }

  init(_ method: ListMethod) {
    runner = method.make()
    log = ActionLog(method.method)
  }

  func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    var visits = 0
    let visitor = guest.map { guest in
      { (block: any GuestBlock, value: [Tensor]) in
        visits += 1
        return try guest(block, value)
      }
    }
    let (output, actions) = try runner.run(blocks, input: input, context: context, guest: visitor) { index, value in
      visits += 1
      return try block(index, value)
    }
    for (site, action) in zip(blocks, actions) { log.note(action, at: site.path, context) }
    if let signal = runner.lastSignal { log.note(signal: signal) }
    log.note(bytes: runner.heldBytes)
    log.note(additional: visits - actions.count { $0 == .compute })
    return output
  }
}
