import QuickstepDiffusion
public import QuickstepNN
import QuickstepTensor

/// A branch of guidance that is evaluated in some evaluations only: between them its output, or how far it is from the other branch, is taken from
/// memory or forecast.
///
/// With the difference kept, the unconditional output is cond + (uncond − cond) of the last full evaluation, so that all that changes in both
/// branches alike is new (the idea of FasterCache's CFG-Cache, Lv et al. 2024, arXiv 2410.19355, without its split by frequency).
public struct GuidanceCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "guidance-cache", family: .acceleration, summary: "Evaluates the unconditional branch of guidance in some evaluations only.",
    points: [.call], reads: ["outputs of branches"], changes: ["outputs of branches", "branches per evaluation"],
    needs: ["guidance that compares branches"], state: "order + 1 outputs",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per one of the branch, N", domain: .integer(1...1000), standard: .integer(3),
        neutral: .integer(1), searched: .integer(2...8)),
      ParameterDeclaration(
        name: "start", summary: "share of the run before which it is always evaluated", domain: .number(0...1), standard: .number(0.1),
        searched: .number(0...0.6)),
      ParameterDeclaration(
        name: "keep", summary: "what is kept: the branch's output, or its difference from the prompt's",
        domain: .choice(["output", "difference"]),
        standard: .choice("difference")),
      ParameterDeclaration(
        name: "order", summary: "of the forecast of what is kept", domain: .integer(0...4), standard: .integer(0), searched: .integer(0...1)
      ),
    ], exactness: .approximate, reference: "arXiv 2410.19355, section 3.3; arXiv 2404.07724 for leaving it out")

  let interval: Int
  let start: Double
  let keepsDifference: Bool
  let order: Int

  public init(_ values: ParameterValues) {
    (interval, order, start) = (values.integer("interval") ?? 1, values.integer("order") ?? 0, values.number("start"))
    keepsDifference = values.choice("keep") == "difference"
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    guard interval > 1 else { return [] }
    // The first branch is what guidance leads away from; the last is the prompt's.
    guard let pair = run.calls.map(\.branches).first(where: { $0.count > 1 }), let kept = pair.first, let base = pair.last else {
      throw AccelerationError("'guidance-cache' needs guidance that compares branches; this run has one branch (is the guidance scale 1?)")
    }
    let begin = Int((start * Double(run.evaluations)).rounded(.up))
    var since = 0
    let actions = run.calls.enumerated().map { index, call -> SiteAction in
      guard call.branches.contains(kept) else { return .compute }
      defer { since = since + 1 == interval && index >= begin ? 0 : index >= begin ? since + 1 : 0 }
      return index < begin || since == 0 ? .compute : order == 0 ? .reuse : .forecast(order: order)
    }
    let plan = BranchPlan(branch: kept, base: keepsDifference ? base : nil, actions: actions)
    return [.call(plan.method(Self.declaration.name, rule: TaylorExtrapolation()))]
  }
}

/// When a branch of guidance is evaluated.
public struct BranchPlan: Sendable, Hashable {
  /// The branch.
  public var branch: String
  /// The branch whose output is taken off what is kept; `nil` keeps the output itself.
  public var base: String?
  /// One per evaluation.
  public var actions: [SiteAction]

  /// When a branch of guidance is evaluated.
  public init(branch: String, base: String? = nil, actions: [SiteAction]) {
    (self.branch, self.base, self.actions) = (branch, base, actions)
  }

  /// How plans name it.
  var name: String { "call.\(branch)" }

  /// What carries it out.
  func method(_ name: String, rule: any Extrapolation) -> CallMethod {
    let plan = self
    let computed = actions.enumerated().count { $1 == .compute && actions[$0...].contains(where: \.readsHistory) }
    let depth = min(computed, rule.depth(order: actions.map(\.order).max() ?? 0))
    return CallMethod(
      method: name, isExclusive: false, branches: [branch], planned: [self.name: actions],
      keeps: base == nil ? [:] : [self.name: .difference],
      rule: rule, held: { depth * $0.answer },
      make: { BranchCache(method: name, plan: plan, rule: rule) })
  }
}

/// Carries a ``BranchPlan`` out, in one request.
final class BranchCache: ReportingCallPolicy {
  private let plan: BranchPlan
  private let rule: any Extrapolation
  private let order: Int
  private let log: ActionLog
  private var history = History()

  init(method: String, plan: BranchPlan, rule: any Extrapolation) {
    (self.plan, self.rule, order) = (plan, rule, plan.actions.map(\.order).max() ?? 0)
    log = ActionLog(method)
  }

  var report: AccelerationReport { log.finished }

  func outputs(
    _ input: Tensor, branches: [String], context: StepContext,
    evaluate: (_ input: Tensor, _ branches: [String], _ context: StepContext) throws -> [Tensor]
  ) throws -> [Tensor] {
    guard let place = branches.firstIndex(of: plan.branch), branches.count > 1 else { return try evaluate(input, branches, context) }
    let action = context.evaluation < plan.actions.count ? plan.actions[context.evaluation] : .compute
    let target = Double(context.evaluation)
    if action == .identity {
      // Guidance between a branch and itself is that branch: nothing is led away from.
      let others = branches.filter { $0 != plan.branch }
      var outputs = try evaluate(input, others, context)
      if let prompt = outputs.last { outputs.insert(prompt, at: place) }
      log.note(action, at: plan.name, context)
      return outputs
    }
    // What stands between guidance and this may have answered the evaluation in which the branch was to be made.
    let isStale = plan.actions.isStale(history.entries.first?.evaluation, at: context.evaluation)
    if action != .compute, !isStale, let kept = try history.estimate(rule, target: target, order: action.order)?.first {
      let others = branches.filter { $0 != plan.branch }
      var outputs = try evaluate(input, others, context)
      let base = plan.base.flatMap { others.firstIndex(of: $0) }.map { outputs[$0] }
      outputs.insert(try withTensorErrors { base.map { $0 + kept } ?? kept }, at: place)
      log.note(action, at: plan.name, context)
      return outputs
    }
    let outputs = try evaluate(input, branches, context)
    let base = plan.base.flatMap { branches.firstIndex(of: $0) }.map { outputs[$0] }
    let kept = try withTensorErrors { base.map { outputs[place] - $0 } ?? outputs[place] }
    try history.append([kept], node: target, evaluation: context.evaluation, depth: rule.depth(order: order))
    log.note(bytes: history.bytes)
    log.note(.compute, at: plan.name, context, forced: action != .compute)
    return outputs
  }
}
