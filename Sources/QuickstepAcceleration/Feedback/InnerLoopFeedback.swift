public import QuickstepNN
internal import QuickstepTensor

/// Inner-loop feedback: a small trained block turns the output of a late block into corrections of earlier blocks' inputs, and these run again, so
/// that one evaluation answers for a step of double length (Gwilliam et al. 2025, arXiv 2501.13107).
public struct InnerLoopFeedback: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "ilf", family: .acceleration,
    summary: "A trained block feeds a late block's output back, so that steps can be twice as long.",
    points: [.block], reads: ["output of the inner range of blocks"], changes: ["inputs of the inner range of blocks"],
    needs: ["a list of blocks", "a module trained for the model ('quickstep train')"], state: "none",
    parameters: [
      ParameterDeclaration(
        name: "module", summary: "the trained module", domain: .text("path of its folder, or of feedback.safetensors in it"),
        standard: .text("")),
      ParameterDeclaration(
        name: "strength", summary: "what the learned scales are multiplied with", domain: .number(0...4), standard: .number(1),
        neutral: .number(0)),
      ParameterDeclaration(
        name: "begin", summary: "evaluations without feedback at the beginning; -1: as the module was trained",
        domain: .integer(-1...1000), standard: .integer(-1)),
      ParameterDeclaration(
        name: "end", summary: "evaluations without feedback at the end; -1: as the module was trained",
        domain: .integer(-1...1000), standard: .integer(-1)),
    ], exactness: .approximate, reference: "arXiv 2501.13107, section 3")

  let module: FeedbackModule?
  let strength: Double
  let begin: Int
  let end: Int

  /// - Throws: ``AccelerationError`` without a module, `FormatError` where the files hold none.
  public init(_ values: ParameterValues) throws {
    (strength, begin, end) = (values.number("strength"), values.integer("begin") ?? -1, values.integer("end") ?? -1)
    // At strength 0 nothing is read.
    guard strength > 0 else {
      module = nil
      return
    }
    guard let path = values.text("module") else { throw AccelerationError("'ilf' needs a trained module: ilf:module=FOLDER") }
    module = try FeedbackModule(path: path)
  }

  /// With a module at hand.
  public init(_ module: FeedbackModule, strength: Double = 1, begin: Int = -1, end: Int = -1) {
    (self.module, self.strength, self.begin, self.end) = (module, strength, begin, end)
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    let blocks = try run.needBlocks("ilf")
    guard let module else { return [] }
    let (settings, origin) = (module.configuration, module.block.origin)
    guard let guests = run.guests else {
      throw AccelerationError("'ilf' needs a network that runs blocks of others beside its own; \(run.network) does not")
    }
    guard settings.fingerprint == run.identity?.fingerprint else {
      throw AccelerationError(
        "\(origin) was trained for '\(settings.model)' (\(settings.fingerprint)); the weights of \(run.network) are others "
          + "(\(run.identity?.fingerprint ?? "not known"))"
      )
    }
    guard settings.blocks == blocks.count else {
      throw AccelerationError("\(origin) is for a network of \(settings.blocks) blocks; \(run.network) has \(blocks.count)")
    }
    // Runs of other lengths have their long steps in the same part.
    func count(_ given: Int, trained: Int) -> Int {
      given >= 0 ? given : Int((Double(trained) * Double(run.evaluations) / Double(settings.steps)).rounded())
    }
    let (begin, end) = (count(begin, trained: settings.begin), count(end, trained: settings.end))
    guard begin + end < run.evaluations else {
      throw AccelerationError("'ilf' with begin \(begin) and end \(end) leaves none of \(run.evaluations) evaluations with feedback")
    }
    guard let block = try guests.make(settings.last, module.block) else {
      throw AccelerationError("'ilf' needs a network that runs blocks of others beside its own; \(run.network) does not")
    }
    let scales = try withTensorErrors { module.scales.map { $0.to(.float32) * strength } }
    let acting = begin..<(run.evaluations - end)
    return [
      .list(
        ListMethod(method: "ilf", repeated: settings.first..<(settings.last + 1), decides: false) {
          FeedbackRunner(range: settings.range, block: block, scales: scales) { acting.contains($0.evaluation) }
        })
    ]
  }

  /// Its weights as they are in the file, and the block made of them, in float32.
  public var ownBytes: Int {
    guard let module else { return 0 }
    let weights = module.block.tensors.values.reduce(0) { $0 + $1.byteCount + 4 * $1.count }
    return module.scales.reduce(weights) { $0 + $1.byteCount + 4 * $1.count }
  }

  /// A module knows one length of step.
  public func warnings(for run: RunOutline) -> [String] {
    guard let settings = module?.configuration else { return [] }
    var warnings: [String] = []
    if settings.steps != run.stepCount {
      warnings.append("the feedback module was trained for runs of \(settings.steps) steps; this one has \(run.stepCount)")
    }
    if let solver = run.identity?.solver, solver != settings.solver {
      warnings.append("the feedback module was trained for the solver '\(settings.solver)'; this run uses '\(solver)'")
    }
    return warnings
  }
}
