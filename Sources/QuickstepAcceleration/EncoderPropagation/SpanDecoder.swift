import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor

/// Makes the outputs of several evaluations in one call, where none of them depends on the state: between two key evaluations of
/// ``FasterDiffusion`` the way up sees what was kept and the time alone.
///
/// The samples of one evaluation stand behind those of another along the batch, each with its own level; what is kept is repeated accordingly.
final class SpanDecoder: ReportingCallPolicy {
  private let keys: Set<Int>
  private let calls: [RunOutline.Call]
  private let span: Int
  private var ready: [Int: [Tensor]] = [:]
  private let log = ActionLog("faster-diffusion")

  init(keys: Set<Int>, calls: [RunOutline.Call], span: Int) { (self.keys, self.calls, self.span) = (keys, calls, span) }

  /// Calls of the network, and outputs that were taken from an earlier one.
  var report: AccelerationReport { log.finished }

  func outputs(
    _ input: Tensor, branches: [String], context: StepContext,
    evaluate: (_ input: Tensor, _ branches: [String], _ context: StepContext) throws -> [Tensor]
  ) throws -> [Tensor] {
    if let made = ready.removeValue(forKey: context.evaluation) {
      log.note(.reuse, at: "call", context)
      return made
    }
    log.note(.compute, at: "call", context)
    let evaluations = evaluations(from: context, branches)
    guard evaluations.count > 1 else { return try evaluate(input, branches, context) }
    let samples = input.size(0)
    var joint = context
    joint.sampleLevels = evaluations.flatMap { Array(repeating: calls[$0].level, count: samples) }
    let stacked = try withTensorErrors { Tensor.cat(Array(repeating: input, count: evaluations.count)) }
    let outputs = try evaluate(stacked, branches, joint)
    let parts = try withTensorErrors {
      (0..<evaluations.count).map { index in
        outputs.map { $0.narrow(0, start: index * samples, length: samples).contiguous() }
      }
    }
    for (evaluation, part) in zip(evaluations, parts).dropFirst() { ready[evaluation] = part }
    log.note(bytes: ready.values.reduce(0) { $0 + $1.reduce(0) { $0 + $1.byteCount } })
    return parts[0]
  }

  /// The evaluations that go into one call with this one: those up to the next key with the same branches, as far as they are allowed.
  private func evaluations(from context: StepContext, _ branches: [String]) -> Range<Int> {
    let first = context.evaluation
    // A run other than the one that was outlined, or one that has levels by sample already, is decoded one by one.
    guard !keys.contains(first), first < calls.count, calls[first].level == context.level, context.sampleLevels == nil else {
      return first..<(first + 1)
    }
    var end = first + 1
    while end < calls.count, end - first < span, !keys.contains(end), calls[end].branches == branches { end += 1 }
    return first..<end
  }
}
