internal import Foundation
public import QuickstepNN

/// Any plan of (evaluation × site) → action, as ECAD's search makes them (Aggarwal et al. 2025, arXiv 2506.15682): data from a file.
public struct PlannedCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "plan", family: .acceleration,
    summary: "Follows a plan from a file: for every site and evaluation, compute, reuse, forecast or leave out.",
    points: [.block], reads: ["outputs of the plan's sites"], changes: ["outputs of the plan's sites"],
    needs: ["a plan for this network and number of evaluations"], state: "one output per site (order + 1 with forecasts)",
    parameters: [
      ParameterDeclaration(name: "file", summary: "the plan", domain: .text("path of a JSON file, or its contents"), standard: .text("")),
      ParameterDeclaration(
        name: "rule", summary: "of forecasts", domain: .choice(["taylor", "newton"]), standard: .choice("taylor")),
      ParameterDeclaration(
        name: "stretch", summary: "whether a plan for another number of evaluations is stretched to the run's", domain: .flag,
        standard: .flag(false)),
    ], exactness: .approximate, reference: "arXiv 2506.15682, section 3")

  let plan: SitePlan
  let rule: any Extrapolation
  let stretches: Bool

  /// - Throws: ``AccelerationError`` without a file, or where it holds no plan.
  public init(_ values: ParameterValues) throws {
    guard let file = values.text("file") else { throw AccelerationError("'plan' needs a plan: plan:file=FILE.json") }
    plan = try SitePlan(source: file)
    rule = values.choice("rule") == "newton" ? NewtonExtrapolation() : TaylorExtrapolation()
    stretches = values.flag("stretch")
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    guard plan.evaluations == run.evaluations || stretches else {
      throw AccelerationError(
        "the plan is for \(plan.evaluations) evaluations, the run has \(run.evaluations); stretch=true stretches it")
    }
    let plan = try plan.stretched(to: run.evaluations)
    let known = Dictionary(run.sites.map { ($0.path, $0) }) { first, _ in first }
    var (actions, parts): ([Site: [SiteAction]], [Part]) = ([:], [])
    for (name, list) in plan.actions.sorted(by: { $0.key < $1.key }) where list.contains(where: { $0 != .compute }) {
      guard !list.contains(.correct) else { throw AccelerationError("the plan of '\(name)' has corrections (A), which need a calibration") }
      guard !list.contains(.tokens) else {
        throw AccelerationError("the plan of '\(name)' has single tokens (T), which need a rule that chooses them, as 'toca' has")
      }
      if let site = known[name] {
        guard !list.contains(.identity) || LayerSkip.kinds.contains(site.kind) else {
          throw AccelerationError("the plan leaves '\(name)' out (I), which only layers and blocks can be: it has no input to pass on")
        }
        actions[site] = list
      } else if let range = try range(name, run) {
        parts.append(
          .range(
            RangeCache(
              method: "plan", first: range.lowerBound, last: run.blocks.count - range.upperBound,
              value: plan.keeps[name] == .residual ? .residual : .output, actions: list, rule: rule)))
      } else if let branches = try branchPlan(name, list, plan.keeps[name], run) {
        parts.append(.call(branches.method("plan", rule: rule)))
      } else {
        throw AccelerationError("the plan names '\(name)', which \(run.network) does not have in this run")
      }
    }
    let ranges = plan.actions.keys.filter { $0.hasPrefix("blocks[") }.sorted()
    guard ranges.count < 2 else {
      throw AccelerationError("a plan holds one range of blocks at most; it names \(ranges.joined(separator: " and "))")
    }
    return (actions.isEmpty ? [] : [.sites(SiteCache(method: "plan", plan: actions, rule: rule))]) + parts
  }

  /// `call.negative`; `nil` for names of no branch of the run.
  private func branchPlan(_ name: String, _ actions: [SiteAction], _ kept: SitePlan.Kept?, _ run: RunOutline) throws -> BranchPlan? {
    let compared = run.calls.map(\.branches).filter { $0.count > 1 }
    guard let branches = compared.first(where: { $0.contains { "call.\($0)" == name } }), let prompt = branches.last else { return nil }
    let branch = String(name.dropFirst("call.".count))
    guard branch != prompt || (kept == nil && !actions.contains(.identity)) else {
      throw AccelerationError("the plan leaves '\(name)' out, or keeps its difference from the prompt's branch, which it is itself")
    }
    return BranchPlan(branch: branch, base: kept == .difference ? prompt : nil, actions: actions)
  }

  /// `blocks[1..<12]`; `nil` for names of another form.
  private func range(_ name: String, _ run: RunOutline) throws -> Range<Int>? {
    guard name.hasPrefix("blocks["), name.hasSuffix("]") else { return nil }
    let bounds = name.dropFirst(7).dropLast().components(separatedBy: "..<").map { Int($0) }
    guard bounds.count == 2, let first = bounds[0], let end = bounds[1], first >= 0, first < end, end <= run.blocks.count else {
      throw AccelerationError("the plan names '\(name)'; \(run.network) has \(run.blocks.count) blocks")
    }
    return first..<end
  }
}

extension SitePlan {
  /// The plan for another number of evaluations: each takes the action of the one that lies at the same share of the run.
  /// - Throws: ``AccelerationError`` as the initialiser.
  public func stretched(to count: Int) throws -> SitePlan {
    guard count != evaluations, count > 0 else { return self }
    return try SitePlan(
      evaluations: count,
      actions: actions.mapValues { list in
        (0..<count).map { list[min(list.count - 1, ($0 * list.count + count / 2) / count)] }
      }, keeps: keeps)
  }
}
