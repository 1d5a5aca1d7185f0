import QuickstepNN

/// Masks that people make by hand, as plans: what a search of plans begins with (Aggarwal et al. 2025, arXiv 2506.15682, section 3), and rivals for
/// what it finds.
public enum HeuristicPlan: Hashable, Sendable, CustomStringConvertible {
  /// All modules in every `interval`-th evaluation.
  case every(interval: Int)
  /// Attention of every `interval`-th evaluation, feed-forward layers always.
  case attention(interval: Int)
  /// In every `interval`-th evaluation everything, in the others one block out of `stride`, the others' modules reused.
  case spacedBlocks(interval: Int, stride: Int)
  /// Attention to the prompt up to a share of the run, self-attention every `interval`-th evaluation before it and always behind it (as in T-GATE).
  case gated(share: Double, interval: Int)

  public var description: String {
    switch self {
    case .every(let interval): "every \(interval)"
    case .attention(let interval): "attention every \(interval)"
    case .spacedBlocks(let interval, let stride): "one block in \(stride), all every \(interval)"
    case .gated(let share, let interval): "prompt up to \(share), attention every \(interval) before"
    }
  }

  /// A spread of them, from nearly everything to little.
  public static let standard: [HeuristicPlan] =
    (2...5).map { .every(interval: $0) } + (2...4).map { .attention(interval: $0) }
    + [2, 3].flatMap { interval in [2, 3].map { .spacedBlocks(interval: interval, stride: $0) } }
    + [0.3, 0.5, 0.7].map { .gated(share: $0, interval: 2) }

  /// The plan for a run.
  /// - Throws: ``AccelerationError`` where the network has no modules to name, or a number is out of range.
  public func plan(for run: RunOutline) throws -> SitePlan {
    guard isValid else { throw AccelerationError("'\(self)' is no plan: intervals and strides begin at 1, shares lie within 0…1") }
    let modules = try run.needModules("plan")
    var actions: [String: [SiteAction]] = [:]
    for site in modules {
      let list = (0..<run.evaluations).map { $0 == 0 || computes(site, $0, of: run.evaluations) ? SiteAction.compute : .reuse }
      if list.contains(.reuse) { actions[site.path] = list }
    }
    return try SitePlan(evaluations: run.evaluations, actions: actions)
  }

  private var isValid: Bool {
    switch self {
    case .every(let interval), .attention(let interval): interval >= 1
    case .spacedBlocks(let interval, let stride): interval >= 1 && stride >= 1
    case .gated(let share, let interval): (0...1).contains(share) && interval >= 1
    }
  }

  private func computes(_ site: Site, _ index: Int, of count: Int) -> Bool {
    switch self {
    case .every(let interval): index % interval == 0
    case .attention(let interval): ![.attention, .crossAttention].contains(site.kind) || index % interval == 0
    case .spacedBlocks(let interval, let stride): index % interval == 0 || site.depth % stride == 0
    case .gated(let share, let interval):
      switch site.kind {
      case .crossAttention: Double(index) < share * Double(count)
      case .attention: Double(index) >= share * Double(count) || index % interval == 0
      default: true
      }
    }
  }
}
