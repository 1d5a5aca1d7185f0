public import QuickstepNN

/// Step Rehash: every second evaluation takes what the deepest level of a U-Net's way up gave in the one before, except at the beginning and at
/// the end (Streamlined Inference, Zhan et al. 2024, arXiv 2411.01171, section 3.4).
///
/// The paper leaves layer and schedule open; both are ours: the output of the deepest level as it goes up, one buffer, N = 2.
public struct StepRehash: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "step-rehash", family: .acceleration,
    summary: "Takes the deepest level of a U-Net from the evaluation before, but at the beginning and the end.", points: [.block],
    reads: ["output of the deepest level"], changes: ["output of the deepest level"], needs: ["a U-Net of two levels or more"],
    state: "one feature per branch of guidance",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per full one, N", domain: .integer(1...1000), standard: .integer(2), neutral: .integer(1),
        searched: .integer(2...5)),
      ParameterDeclaration(
        name: "begin", summary: "share of the run that is full at the beginning", domain: .number(0...1), standard: .number(0.1)),
    ], exactness: .approximate, reference: "arXiv 2411.01171, section 3.4")

  let interval: Int
  let begin: Double

  public init(_ values: ParameterValues) { (interval, begin) = (values.integer("interval") ?? 1, values.number("begin")) }

  public func parts(for run: RunOutline) throws -> [Part] {
    guard interval > 1 else { return [] }
    _ = try run.needSkips("step-rehash")
    guard let depth = run.deepestLevelUp, let site = run.sites.first(where: { $0.kind == .inner && $0.depth == depth }) else {
      throw AccelerationError("'step-rehash' needs a U-Net of two levels or more; \(run.network) has one")
    }
    let full = Int((begin * Double(run.evaluations)).rounded(.up))
    let actions: [SiteAction] = (0..<run.evaluations).map { index in
      index <= full || index + 1 == run.evaluations || (index - full) % interval == 0 ? .compute : .reuse
    }
    return [.sites(SiteCache(method: "step-rehash", sites: [site], actions: actions))]
  }
}

extension RunOutline {
  /// The skip connection whose step up takes what comes out of the deepest level; `nil` for a U-Net of one level.
  var deepestLevelUp: Int? {
    var (step, levels): (Int?, [Int: Int]) = (nil, [:])
    for site in sites {
      switch site.kind {
      case .up: step = site.depth
      case .down, .middle, .inner: step = nil
      default: if let step { levels[step] = max(levels[step] ?? 0, site.depth) }
      }
    }
    guard let deepest = levels.values.max(), let first = levels.filter({ $0.value == deepest }).keys.min(), first > 0 else { return nil }
    return first - 1
  }
}
