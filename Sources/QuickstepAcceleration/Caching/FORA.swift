public import QuickstepNN

/// FORA: every N-th evaluation is full; in the others each attention and each feed-forward module gives what it gave then (Selvaraju et al. 2024,
/// arXiv 2407.01425).
public struct FORA: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "fora", family: .acceleration, summary: "Reuses the outputs of attention and feed-forward modules between full evaluations.",
    points: [.block], reads: ["module outputs"], changes: ["module outputs"], needs: ["attention or feed-forward modules"],
    state: "one output per module",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per full one, N", domain: .integer(1...1000), standard: .integer(3), neutral: .integer(1),
        searched: .integer(2...6))
    ], exactness: .approximate, reference: "arXiv 2407.01425, section 3.2")

  let interval: Int

  public init(_ values: ParameterValues) { interval = values.integer("interval") ?? 1 }

  public func parts(for run: RunOutline) throws -> [Part] {
    let modules = try run.needModules("fora")
    guard interval > 1 else { return [] }
    let actions: [SiteAction] = (0..<run.evaluations).map { $0 % interval == 0 ? .compute : .reuse }
    return [.sites(SiteCache(method: "fora", sites: modules, actions: actions))]
  }
}

extension RunOutline {
  /// Attentions and feed-forward modules.
  /// - Throws: ``AccelerationError`` where there are none.
  func needModules(_ method: String) throws -> [Site] {
    let modules = modules([.attention, .crossAttention, .feedForward, .parallel])
    guard !modules.isEmpty else { throw AccelerationError("'\(method)' needs attention or feed-forward modules; \(network) has none") }
    return modules
  }
}
