public import QuickstepNN

/// Pyramid Attention Broadcast: attention outputs are reused in the middle of the run, attention to the prompt longer than self-attention (Zhao et
/// al. 2024, arXiv 2408.12588).
public struct PyramidAttention: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "pab", family: .acceleration, summary: "Reuses attention outputs in the middle of a run, each kind for its own time.",
    points: [.block], reads: ["attention outputs"], changes: ["attention outputs"], needs: ["attention modules"],
    state: "one output per attention",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per computed self-attention", domain: .integer(1...1000), standard: .integer(2),
        searched: .integer(2...6)),
      ParameterDeclaration(
        name: "cross-interval", summary: "evaluations per computed attention to the prompt", domain: .integer(1...1000),
        standard: .integer(6), searched: .integer(2...8)),
      ParameterDeclaration(
        name: "from", summary: "share of the trained times, 1 being pure noise, below which outputs are reused", domain: .number(0...1),
        standard: .number(0.8)),
      ParameterDeclaration(
        name: "to", summary: "share of the trained times above which outputs are reused", domain: .number(0...1), standard: .number(0.1)),
    ], exactness: .approximate, reference: "arXiv 2408.12588, section 3; diffusers 0.37, hooks/pyramid_attention_broadcast.py")

  let intervals: [Site.Kind: Int]
  let from: Double, to: Double

  /// - Throws: ``AccelerationError`` for a part of the run that holds nothing.
  public init(_ values: ParameterValues) throws {
    intervals = [.attention: values.integer("interval") ?? 1, .crossAttention: values.integer("cross-interval") ?? 1]
    (from, to) = (values.number("from"), values.number("to"))
    guard from > to else { throw AccelerationError("'pab' reuses between from=\(from) and to=\(to): from must be the larger one") }
  }

  /// - Throws: ``AccelerationError`` where the network has no attention, or the model no last trained timestep.
  public func parts(for run: RunOutline) throws -> [Part] {
    var plan: [Site: [SiteAction]] = [:]
    let attentions = run.sites.filter { intervals[$0.kind] != nil }
    guard !attentions.isEmpty else { throw AccelerationError("'pab' needs attention modules; \(run.network) has none") }
    // What does nothing needs nothing.
    guard attentions.contains(where: { (intervals[$0.kind] ?? 1) > 1 }) else { return [] }
    let time = try run.needTrainedTime("pab")
    for site in attentions {
      let actions = actions(interval: intervals[site.kind] ?? 1, calls: run.calls, trainedTime: time)
      if actions.contains(.reuse) { plan[site] = actions }
    }
    return plan.isEmpty ? [] : [.sites(SiteCache(method: "pab", plan: plan))]
  }

  /// - Parameter trainedTime: what timesteps are parts of.
  func actions(interval: Int, calls: [RunOutline.Call], trainedTime: Double) -> [SiteAction] {
    calls.enumerated().map { index, call in
      let isInside = call.level.timestep > trainedTime * to && call.level.timestep < trainedTime * from
      return index == 0 || !isInside || index % interval == 0 ? .compute : .reuse
    }
  }
}
