import QuickstepNN
import QuickstepTensor

/// Compares with the last full evaluation, so that drift is bounded without being added up.
final class ChangeGate: Gate {
  private let method: String
  private let threshold: Double
  private let answer: SiteAction
  private var count: GateCount
  private var reference: Tensor?

  /// - Parameter action: what is done while the signal changes by less than `threshold`.
  init(method: String, threshold: Double, limits: GateLimits = GateLimits(), action: SiteAction = .reuse) {
    (self.method, self.threshold, answer, count) = (method, threshold, action, GateCount(limits))
  }

  var heldBytes: Int { reference?.byteCount ?? 0 }

  func action(_ moment: GateMoment) throws -> SiteAction {
    guard let signal = moment.signal else { throw AccelerationError("'\(method)' has nothing to compare in this network") }
    if let reference, !count.demandsFull(moment) {
      let change = try Change.relative(signal, to: reference, of: method, moment.context)
      moment.note(change)
      if change < threshold { return count.counting(answer) }
    }
    reference = signal
    return count.counting(.compute)
  }
}
