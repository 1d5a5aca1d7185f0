import QuickstepDiffusion
public import QuickstepNN

/// FasterCache: attention outputs go on as they changed, with a weight that rises over the run, and the unconditional branch is made of the
/// conditional one and the last difference between them, low and high frequencies apart (Lv et al. 2024, arXiv 2410.19355).
public struct FasterCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "fastercache", family: .acceleration,
    summary: "Extrapolates attention outputs in every other evaluation, and makes the unconditional branch from the conditional one.",
    points: [.block, .call], reads: ["attention outputs", "model output"], changes: ["attention outputs", "branches per evaluation"],
    needs: ["attention modules"], state: "two outputs per attention; two differences of the branches",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per computed attention", domain: .integer(1...1000), standard: .integer(2),
        searched: .integer(2...5)),
      ParameterDeclaration(
        name: "weight", summary: "of the extrapolation at the end of the run", domain: .number(0...2), standard: .number(1)),
      ParameterDeclaration(
        name: "first-weight", summary: "of the extrapolation at its beginning", domain: .number(0...2), standard: .number(0)),
      ParameterDeclaration(
        name: "from", summary: "share of the trained times below which attention is extrapolated", domain: .number(0...1),
        standard: .number(0.681)),
      ParameterDeclaration(
        name: "branch-interval", summary: "evaluations per computed unconditional branch; 1 computes it always", domain: .integer(1...1000),
        standard: .integer(5), searched: .integer(1...6)),
      ParameterDeclaration(
        name: "branch-from", summary: "share of the trained times below which that branch is made", domain: .number(0...1),
        standard: .number(0.641)),
      ParameterDeclaration(
        name: "low", summary: "growth of the difference's low frequencies per evaluation, for times of 0.1…0.9", domain: .number(0...10),
        standard: .number(1.1)),
      ParameterDeclaration(
        name: "high", summary: "growth of its high frequencies, for times below 0.3", domain: .number(0...10), standard: .number(1.1)),
    ], exactness: .approximate, reference: "arXiv 2410.19355, eq. 4–10; diffusers 0.37, hooks/faster_cache.py")

  let interval: Int
  let weights: (first: Double, last: Double)
  let from: Double
  let branches: FrequencyBranchPolicy.Settings

  public init(_ values: ParameterValues) {
    interval = values.integer("interval") ?? 1
    weights = (values.number("first-weight"), values.number("weight"))
    from = values.number("from")
    branches = FrequencyBranchPolicy.Settings(
      interval: values.integer("branch-interval") ?? 1, from: values.number("branch-from"), low: values.number("low"),
      high: values.number("high"))
  }

  /// - Throws: ``AccelerationError`` where the network has no attention, or the model no last trained timestep.
  public func parts(for run: RunOutline) throws -> [Part] {
    let attentions = run.sites.filter { $0.kind == .attention }
    guard !attentions.isEmpty else { throw AccelerationError("'fastercache' needs attention modules; \(run.network) has none") }
    let (settings, pair) = (branches, run.calls.first { $0.branches.count == 2 }?.branches)
    // What does nothing needs nothing.
    guard interval > 1 || (settings.interval > 1 && pair != nil) else { return [] }
    let time = try run.needTrainedTime("fastercache")
    var parts: [Part] = []
    let actions = actions(run.calls, trainedTime: time)
    if actions.contains(where: \.readsHistory) {
      let rule = RisingExtrapolation(first: weights.first, last: weights.last, evaluations: run.evaluations)
      parts.append(.sites(SiteCache(method: "fastercache", sites: attentions, actions: actions, rule: rule)))
    }
    if settings.interval > 1, let pair {
      let call = CallMethod(
        method: "fastercache", branches: [pair[0]], planned: settings.planned(run.calls, trainedTime: time), held: { 2 * $0.answer }
      ) {
        FrequencyBranchPolicy(method: "fastercache", settings, trainedTime: time)
      }
      parts.append(.call(call))
    }
    return parts
  }

  public func warnings(for run: RunOutline) -> [String] {
    branches.interval > 1 && !run.calls.contains { $0.branches.count == 2 }
      ? ["'fastercache': this run compares no two branches, so that attentions alone are extrapolated"] : []
  }

  func actions(_ calls: [RunOutline.Call], trainedTime: Double) -> [SiteAction] {
    calls.enumerated().map { index, call in
      index == 0 || call.level.timestep >= trainedTime * from || index % interval == 0 ? .compute : .forecast(order: 1)
    }
  }
}

/// The newest value and a share of how it differs from the one before, Y + w(Y − Y'), whatever their distance; w rises evenly over the run.
public struct RisingExtrapolation: Extrapolation {
  let first: Double, last: Double
  let evaluations: Int

  /// - Parameters:
  ///   - first: w in the first evaluation.
  ///   - last: w in the last one.
  ///   - evaluations: of the run.
  public init(first: Double, last: Double, evaluations: Int) { (self.first, self.last, self.evaluations) = (first, last, evaluations) }
  public func depth(order: Int) -> Int { 2 }

  public func weights(nodes: [Double], target: Double, order: Int) -> [Double] {
    guard nodes.count > 1 else { return [1] }
    let weight = first + (last - first) * (evaluations > 1 ? target / Double(evaluations - 1) : 0)
    return [1 + weight, -weight]
  }
}
