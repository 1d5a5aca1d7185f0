public import QuickstepNN
public import QuickstepTensor

/// Decides, in every evaluation, what is done at the sites it stands for. One object per request and set of guidance branches.
public protocol Gate: AnyObject {
  /// - Throws: ``AccelerationError`` where its numbers are not finite.
  func action(_ moment: GateMoment) throws -> SiteAction
  /// Bytes of the tensors it holds.
  var heldBytes: Int { get }
}

extension Gate {
  /// None.
  public var heldBytes: Int { 0 }
}

/// What a gate may look at.
public struct GateMoment {
  /// Where in the run.
  public let context: StepContext
  /// What the method compares: see ``RangeCache/Signal``; `nil` where it compares nothing.
  public let signal: Tensor?
  /// The evaluation whose value is the newest one held; `nil` when none is.
  public let lastComputed: Int?
  let log: ActionLog

  /// Writes the number down that the decision rests on.
  public func note(_ signal: Double) { log.note(signal: signal) }

  /// Whether this is the run's last evaluation.
  public var isLast: Bool { context.evaluation + 1 == context.evaluationCount }
}

/// A gate that has decided beforehand.
public final class PlannedGate: Gate {
  private let actions: [SiteAction]

  /// - Parameter actions: one for each evaluation.
  public init(_ actions: [SiteAction]) { self.actions = actions }

  public func action(_ moment: GateMoment) -> SiteAction {
    moment.context.evaluation < actions.count ? actions[moment.context.evaluation] : .compute
  }
}

/// Differences of tensors as gates use them.
public enum Change {
  /// mean |a − b| / mean |b| over the whole batch.
  /// - Throws: ``AccelerationError`` where it is not finite, as for a `b` of zeros.
  public static func relative(_ a: Tensor, to b: Tensor, of method: String, _ context: StepContext) throws -> Double {
    let value = try withTensorErrors { (a - b).abs().mean() / b.abs().mean() }.item()
    return try finite(value, of: method, context)
  }

  /// `value`, if it is a number.
  /// - Throws: ``AccelerationError`` otherwise: a decision must not rest on NaN.
  public static func finite(_ value: Double, of method: String, _ context: StepContext) throws -> Double {
    guard value.isFinite else {
      throw AccelerationError(
        "'\(method)' compares values that give \(value) in evaluation \(context.evaluation) of \(context.evaluationCount)")
    }
    return value
  }
}
