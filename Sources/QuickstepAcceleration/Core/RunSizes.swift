public import QuickstepNN
internal import QuickstepTensor
internal import Synchronization

/// How large what passes through a network is in one evaluation of all branches of guidance: what methods will hold follows from it.
public struct RunSizes: Sendable, Hashable {
  /// Bytes of what goes into a site and of what comes out, tensor by tensor.
  public struct Visit: Sendable, Hashable {
    /// Of what goes in, and of what comes out.
    public var input: [Int] = [], output: [Int] = []
    /// Tokens of all samples together that go in, where it is tokens that flow.
    public var tokens = 0
  }

  /// By site.
  public var sites: [Site: Visit]
  /// Of the first block's modulated input; 0 where there is no such thing.
  public var modulated: Int
  /// Of what the network answers for one branch of guidance.
  public var answer: Int
  /// Branches of guidance of all sets that are evaluated together in the run, as a share of those of the evaluation that was measured. Gates keep what
  /// they compare for each set: with an interval of guidance for both branches and for one.
  public var branchSets = 1.0

  /// Sizes of what passes through a network.
  public init(sites: [Site: Visit] = [:], modulated: Int = 0, answer: Int = 0) {
    (self.sites, self.modulated, self.answer) = (sites, modulated, answer)
  }

  /// The list of blocks, in order.
  var blocks: [Visit] { sites.filter { $0.key.kind == .block }.sorted { $0.key.depth < $1.key.depth }.map(\.value) }
  /// Bytes of all that comes out of a site.
  func output(of site: Site) -> Int { sites[site]?.output.reduce(0, +) ?? 0 }
}

/// Measures ``RunSizes`` while one evaluation is made; its tensors need no values.
public final class SizeObserver: RunObserver {
  private let state = Mutex(RunSizes())

  /// Has seen nothing.
  public init() {}

  /// What was seen so far; of a network that was called more than once, together. ``RunSizes/answer`` is not seen at sites.
  public var sizes: RunSizes { state.withLock { $0 } }

  public func watches(_ site: Site?) -> Bool { true }

  public func visited(_ visit: SiteVisit) throws {
    guard let site = visit.site else {
      let bytes = try visit.modulated()?.byteCount ?? 0
      return state.withLock { $0.modulated += bytes }
    }
    func sum(_ known: [Int], _ tensors: [Tensor]) -> [Int] {
      tensors.enumerated().map { index, tensor in (index < known.count ? known[index] : 0) + (tensor.isDefined ? tensor.byteCount : 0) }
    }
    state.withLock { state in
      let known = state.sites[site] ?? RunSizes.Visit()
      let tokens = visit.input.reduce(known.tokens) { $1.isDefined && $1.rank == 3 ? $0 + $1.size(0) * $1.size(1) : $0 }
      state.sites[site] = RunSizes.Visit(
        input: sum(known.input, visit.input), output: sum(known.output, visit.output), tokens: tokens)
    }
  }
}

extension Part {
  /// Bytes of the tensors it will hold at most. Where decisions are taken while running, an estimate from above.
  func heldBytes(_ sizes: RunSizes) -> Int {
    switch self {
    case .sites(let cache): cache.heldBytes(sizes)
    case .range(let cache): cache.heldBytes(sizes)
    case .list(let method): method.held(sizes)
    case .call(let method): method.held(sizes)
    case .models, .table: 0
    }
  }
}

extension SiteCache {
  func heldBytes(_ sizes: RunSizes) -> Int {
    let depth = rule.depth(order: order)
    return sites.reduce(chooserBytes(sizes)) { sum, site in
      guard case .plan(let plan) = decider, let actions = plan[site] else { return sum + depth * sizes.output(of: site) }
      let kept = actions.lastIndex(where: \.readsHistory).map { last in actions[..<last].count { $0 == .compute } } ?? 0
      return sum + min(depth, kept) * sizes.output(of: site)
    }
  }
}

extension SiteCache {
  /// Of what the choice of tokens needs to know: when each was computed, from what, and what the attentions of their blocks told, in float32.
  private func chooserBytes(_ sizes: RunSizes) -> Int {
    guard let tokens, case .plan(let plan) = decider else { return 0 }
    return plan.reduce(0) { sum, entry in
      guard let size = sizes.sites[entry.key], entry.value.contains(where: \.readsHistory) else { return sum }
      var own = 0
      if entry.value.contains(.tokens) {
        own += 4 * size.tokens
        if tokens.score == .change { own += size.input.reduce(0, +) }
      }
      if let signal = tokens.score.signal, entry.key.kind == (signal == .entropy ? .crossAttention : .attention) { own += 4 * size.tokens }
      return sum + own
    }
  }
}

extension RangeCache {
  func heldBytes(_ sizes: RunSizes) -> Int {
    let blocks = sizes.blocks
    guard first < blocks.count - last else { return 0 }
    let value = blocks[blocks.count - last - 1].output.reduce(0, +)
    let depth = min(rule.depth(order: order), planned.map { actions in actions.count { $0 == .compute } } ?? .max)
    let shown =
      switch signal {
      case .none: 0
      case .modulated: sizes.modulated
      case .input, .change: (first > 0 ? blocks[first - 1].output : blocks[0].input).first ?? 0
      }
    return depth * value + gateDepth * Int((Double(shown) * sizes.branchSets).rounded(.up))
  }
}

extension Acceleration {
  /// Bytes of the tensors that its methods will hold in a session at most. Where decisions are taken while running, an estimate from above.
  /// - Parameter sizes: of what passes through the network in one evaluation.
  public func heldBytes(_ sizes: RunSizes) -> Int { parts.reduce(0) { $0 + $1.part.heldBytes(sizes) } }

  /// Evaluations that are made as one batch at most.
  public var evaluationsAtOnce: Int {
    parts.reduce(1) { most, entry in if case .call(let method) = entry.part { max(most, method.evaluationsAtOnce) } else { most } }
  }
}
