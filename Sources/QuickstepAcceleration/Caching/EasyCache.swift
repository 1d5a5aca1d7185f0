import QuickstepDiffusion
public import QuickstepNN
import QuickstepTensor

/// EasyCache: the whole network is left out while its output is expected to have changed little, from how much its input has and how strongly the
/// output followed the input so far (Zhou et al. 2025, arXiv 2507.02860).
public struct EasyCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "easycache", family: .acceleration,
    summary: "Leaves the whole network out while its expected change adds up to less than a threshold.",
    points: [.call], reads: ["model input", "model output"], changes: ["model output"],
    state: "input and outputs of the last full evaluation and the input of the last one",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "summed expected relative change from which on the network runs again", domain: .number(0...10),
        standard: .number(0.02), neutral: .number(0), searched: .number(0.005...0.3)),
      ParameterDeclaration(
        name: "warmup", summary: "full evaluations at the beginning", domain: .integer(2...1000), standard: .integer(5)),
      ParameterDeclaration(
        name: "continuous", summary: "evaluations that may be left out in a row; 0: any number", domain: .integer(0...1000),
        standard: .integer(0)),
    ], exactness: .approximate, reference: "arXiv 2507.02860, section 3; EasyCache4HunyuanVideo")

  let threshold: Double
  let warmup: Int
  let limit: Int

  public init(_ values: ParameterValues) {
    (threshold, warmup, limit) = (values.number("threshold"), values.integer("warmup") ?? 2, values.integer("continuous") ?? 0)
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    guard threshold > 0 else { return [] }
    let (threshold, warmup, limit) = (threshold, warmup, limit)
    // Two inputs and one output of every branch.
    let tensors = 2 + run.mostBranches
    let method = CallMethod(
      method: "easycache", held: { tensors * $0.answer }, make: { EasyCachePolicy(threshold: threshold, warmup: warmup, limit: limit) })
    return [.call(method)]
  }
}

/// One decision per evaluation for all branches: they have the same input, and their outputs count together.
final class EasyCachePolicy: ReportingCallPolicy {
  private let threshold: Double
  private let warmup: Int
  private let limit: Int
  private let log = ActionLog("easycache")
  /// The last full evaluation.
  private var full: (input: Tensor, outputs: [String: Tensor])?
  private var previous: Tensor?
  /// How strongly the output followed the input, k.
  private var rate: Double?
  private var sum = 0.0
  private var row = 0

  init(threshold: Double, warmup: Int, limit: Int) { (self.threshold, self.warmup, self.limit) = (threshold, warmup, limit) }

  var report: AccelerationReport { log.finished }

  func outputs(
    _ input: Tensor, branches: [String], context: StepContext,
    evaluate: (_ input: Tensor, _ branches: [String], _ context: StepContext) throws -> [Tensor]
  ) throws -> [Tensor] {
    let answer = try answer(input, branches, context)
    previous = input
    log.note(answer == nil ? .compute : .correct, at: "call", context)
    if let answer { return answer }
    let outputs = try evaluate(input, branches, context)
    try keep(input, Dictionary(zip(branches, outputs)) { $1 }, context)
    return outputs
  }

  private func answer(_ input: Tensor, _ branches: [String], _ context: StepContext) throws -> [Tensor]? {
    let isForced = context.evaluation < warmup || context.evaluation + 1 >= context.evaluationCount || (limit > 0 && row >= limit)
    let held = branches.compactMap { full?.outputs[$0] }
    guard !isForced, let full, let previous, let rate, held.count == branches.count, previous.shape == input.shape else {
      (sum, row) = (0, 0)
      return nil
    }
    let change = try withTensorErrors { (input - previous).abs().mean() }.item()
    let size = try mean(held)
    sum += try Change.finite(rate * change / size, of: "easycache", context)
    log.note(signal: sum)
    guard sum < threshold else {
      (sum, row) = (0, 0)
      return nil
    }
    row += 1
    return try withTensorErrors { held.map { input + ($0 - full.input) } }
  }

  private func keep(_ input: Tensor, _ outputs: [String: Tensor], _ context: StepContext) throws {
    if let full, full.input.shape == input.shape {
      let changes = try withTensorErrors { outputs.compactMap { name, output in full.outputs[name].map { output - $0 } } }
      let moved = try Change.finite(withTensorErrors { (input - full.input).abs().mean() }.item(), of: "easycache", context)
      // Where a solver evaluates twice at one place there is nothing to learn.
      if moved > 0, !changes.isEmpty { rate = try Change.finite(mean(changes) / moved, of: "easycache", context) }
    }
    full = (input, outputs)
    log.note(bytes: outputs.values.reduce(2 * input.byteCount) { $0 + $1.byteCount })
  }

  private func mean(_ tensors: [Tensor]) throws -> Double {
    try tensors.reduce(0) { sum, tensor in sum + (try withTensorErrors { tensor.abs().mean() }.item()) } / Double(tensors.count)
  }
}
