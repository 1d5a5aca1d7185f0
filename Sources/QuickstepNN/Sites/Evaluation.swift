public import QuickstepTensor

/// What flows through a site: one tensor, or several that belong together (image and text streams).
public protocol SiteValue {
  /// The parts in a fixed order.
  var tensors: [Tensor] { get }
  /// The same kind of value from as many tensors.
  init(tensors: [Tensor])
}

extension Tensor: SiteValue {
  /// The tensor alone.
  public var tensors: [Tensor] { [self] }
  /// The first of `tensors`; undefined when there is none.
  public init(tensors: [Tensor]) { self = tensors.first ?? .undefined }
}

/// Decides what happens at sites. One object per request: it holds the request's state, the model holds none.
public protocol SitePolicy: AnyObject {
  /// Returns the site's output for `input`, by calling `compute` or otherwise.
  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor]

  /// Runs a list of blocks. `block(i, x)` runs the i-th one; a policy may run, skip or replace any range.
  func sequence(
    _ path: String, count: Int, input: [Tensor], context: StepContext, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor]
}

extension SitePolicy {
  /// Every block in turn, each as a site of kind `block`.
  public func sequence(
    _ path: String, count: Int, input: [Tensor], context: StepContext, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    var value = input
    for index in 0..<count {
      value = try evaluate(Site("\(path).\(index)", .block, depth: index), input: value, context: context) { try block(index, $0) }
    }
    return value
  }
}

/// One evaluation of a backbone: where in the run it stands, and who acts at its sites. Passed through the model explicitly.
public struct Evaluation {
  /// Where in the run this evaluation stands.
  public let context: StepContext
  /// Who acts at the sites; `nil` when nobody does.
  public let policy: (any SitePolicy)?

  /// - Parameters:
  ///   - context: where in the run the evaluation stands.
  ///   - policy: who acts at the sites: the request's own object.
  public init(_ context: StepContext, policy: (any SitePolicy)? = nil) {
    self.context = context
    self.policy = policy
  }

  /// Outside of any run: training, single forward passes.
  public static var plain: Evaluation {
    Evaluation(StepContext(step: 0, stepCount: 1, evaluation: 0, evaluationCount: 1, level: NoiseLevel(timestep: 0, alpha: 1, sigma: 0)))
  }

  /// A site. Without a policy this is the closure call and nothing else; `site` is not even made.
  @inline(__always)
  public func site<Value: SiteValue>(
    _ site: @autoclosure () -> Site, _ input: Value, _ compute: (Value) throws -> Value
  ) throws -> Value {
    guard let policy else { return try compute(input) }
    return Value(
      tensors: try policy.evaluate(site(), input: input.tensors, context: context) { try compute(Value(tensors: $0)).tensors })
  }

  /// A list of blocks, handed over as a whole so that a policy can run, skip, reuse or forecast any range of it.
  @inline(__always)
  public func sequence<Value: SiteValue>(
    _ path: String, count: Int, _ input: Value, _ block: (Int, Value) throws -> Value
  ) throws -> Value {
    guard let policy else {
      var value = input
      for index in 0..<count { value = try block(index, value) }
      return value
    }
    return Value(
      tensors: try policy.sequence(path, count: count, input: input.tensors, context: context) { index, tensors in
        try block(index, Value(tensors: tensors)).tensors
      })
  }
}
