internal import Foundation
import QuickstepDiffusion
public import QuickstepNN
import QuickstepTensor

/// SpeCa: evaluations are drafted by Taylor polynomials, and the last block, computed on its drafted input, says how far the draft is off (Liu et al.
/// 2025, arXiv 2509.11628).
public struct SpeCa: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "speca", family: .acceleration, summary: "Drafts evaluations by Taylor polynomials and verifies them on the last block.",
    points: [.block], reads: ["last block's input and output"], changes: ["output of the list of blocks"], needs: ["a list of blocks"],
    state: "order + 1 inputs and outputs of the last block",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "error of a draft from which on the next evaluation is full, at the beginning of the run",
        domain: .number(0...10), standard: .number(0.1), neutral: .number(0), searched: .number(0.02...2)),
      ParameterDeclaration(
        name: "decay", summary: "what the threshold has shrunk to at the end of the run", domain: .number(0.001...1), standard: .number(0.1)
      ),
      ParameterDeclaration(
        name: "floor", summary: "below which the threshold does not shrink", domain: .number(0...10), standard: .number(0.01)),
      ParameterDeclaration(name: "order", summary: "of the drafts", domain: .integer(0...4), standard: .integer(1)),
      ParameterDeclaration(
        name: "least", summary: "drafts in a row before they are verified", domain: .integer(1...1000), standard: .integer(1)),
      ParameterDeclaration(name: "most", summary: "drafts in a row", domain: .integer(1...1000), standard: .integer(8)),
      ParameterDeclaration(
        name: "warmup", summary: "evaluations at the beginning in which no two drafts follow each other", domain: .integer(1...1000),
        standard: .integer(3)),
      ParameterDeclaration(
        name: "answer", summary: "what a verified evaluation gives: the draft, or the last block's output on its drafted input",
        domain: .choice(["draft", "verified"]), standard: .choice("draft")),
      ParameterDeclaration(
        name: "metric", summary: "of the error: ratio of means, or mean of the elements' ratios as in the authors' program",
        domain: .choice(["relative", "elementwise"]), standard: .choice("relative")),
    ], exactness: .approximate, reference: "arXiv 2509.11628, section 3; Shenyi-Z/Cache4Diffusion, speca-dit")

  let settings: SpeCaRunner.Settings

  /// - Throws: ``AccelerationError`` where drafts would never be verified.
  public init(_ values: ParameterValues) throws {
    settings = SpeCaRunner.Settings(
      threshold: values.number("threshold"), decay: values.number("decay"), floor: values.number("floor"),
      order: values.integer("order") ?? 0, least: values.integer("least") ?? 1, most: values.integer("most") ?? 1,
      warmup: values.integer("warmup") ?? 1, givesVerified: values.choice("answer") == "verified",
      isElementwise: values.choice("metric") == "elementwise")
    guard settings.least <= settings.most else {
      throw AccelerationError("'speca' makes at most \(settings.most) drafts in a row; \(settings.least) before they are verified is more")
    }
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    _ = try run.needBlocks("speca")
    guard settings.threshold > 0 else { return [] }
    let settings = settings
    let method = ListMethod(
      method: "speca",
      held: { sizes in
        // What goes into the last block and what comes out of it.
        (settings.order + 1) * (sizes.blocks.last.map { $0.input.reduce(0, +) + $0.output.reduce(0, +) } ?? 0)
      }, make: { SpeCaRunner(settings) })
    return [.list(method)]
  }
}

/// Drafts the last block's input and output.
final class SpeCaRunner: ListRunner {
  struct Settings: Sendable {
    var threshold: Double, decay: Double, floor: Double
    var order: Int, least: Int, most: Int, warmup: Int
    var givesVerified: Bool, isElementwise: Bool
  }

  /// Of one set of guidance branches.
  struct Course {
    var drafts = 0
    var error: Double?

    /// Whether the next evaluation is full: the rule of the authors' program, which drafts after every full evaluation.
    mutating func isFull(_ index: Int, of count: Int, _ settings: Settings) -> Bool {
      let progress = Double(index + 1) / Double(count)
      let limit = max(settings.threshold * pow(settings.decay, progress), settings.floor)
      let isFull =
        drafts > 0 && (index < settings.warmup || drafts >= settings.most || (drafts >= settings.least && (error ?? 0) > limit))
      if isFull { (drafts, error) = (0, nil) } else { drafts += 1 }
      return isFull
    }

    /// Whether this draft is verified.
    func isVerified(_ settings: Settings) -> Bool { drafts > settings.least }
  }

  private let settings: Settings
  private let rule = TaylorExtrapolation()
  private var inputs = BranchHistories()
  private var outputs = BranchHistories()
  private var courses: [[String]: Course] = [:]
  private(set) var lastSignal: Double?

  init(_ settings: Settings) { self.settings = settings }

  var heldBytes: Int { inputs.bytes + outputs.bytes }

  func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> (output: [Tensor], actions: [SiteAction]) {
    let (last, index) = (blocks.count - 1, context.evaluation)
    lastSignal = nil
    if inputs.newest(of: context.branches) != nil {
      var course = courses[context.branches] ?? Course()
      let isFull = course.isFull(index, of: context.evaluationCount, settings)
      if !isFull, let draftedInput = try draft(inputs, context), let draft = try draft(outputs, context) {
        let verified = course.isVerified(settings) ? try block(last, draftedInput) : nil
        if let verified {
          course.error = try error(draft, verified, context)
          lastSignal = course.error
        }
        courses[context.branches] = course
        let action: SiteAction = settings.order == 0 ? .reuse : .forecast(order: settings.order)
        let actions = Array(repeating: action, count: last) + [verified == nil ? action : .compute]
        return (settings.givesVerified ? verified ?? draft : draft, actions)
      }
      courses[context.branches] = course
    }
    let before = try (0..<last).reduce(input) { try block($1, $0) }
    let after = try block(last, before)
    let depth = rule.depth(order: settings.order)
    try inputs.append(before, branches: context.branches, node: Double(index), evaluation: index, depth: depth)
    try outputs.append(after, branches: context.branches, node: Double(index), evaluation: index, depth: depth)
    return (after, Array(repeating: .compute, count: blocks.count))
  }

  private func draft(_ held: BranchHistories, _ context: StepContext) throws -> [Tensor]? {
    try held.answer(for: context.branches) { history in
      try history.estimate(rule, target: Double(context.evaluation), order: settings.order)
    }
  }

  private func error(_ draft: [Tensor], _ verified: [Tensor], _ context: StepContext) throws -> Double {
    guard let draft = draft.first, let verified = verified.first else { return 0 }
    guard settings.isElementwise else { return try Change.relative(draft, to: verified, of: "speca", context) }
    let value = try withTensorErrors { ((draft - verified).abs() / (verified.abs() + 1e-10)).mean() }.item()
    return try Change.finite(value, of: "speca", context)
  }
}
