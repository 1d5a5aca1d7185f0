public import QuickstepNN
public import QuickstepTensor

/// Laws that every site policy (a cache, a tap, a block skipper) obeys. Each checker throws ``LawViolation``.
///
/// A model is given as one evaluation: state and `Evaluation` to prediction of the same shape. ``ToyNetwork`` is one.
public enum SitePolicyLaws {
  /// One evaluation of a backbone.
  public typealias Model = (Tensor, Evaluation) throws -> Tensor

  /// A request that is carried out one evaluation at a time: the state moves a little against each prediction, as in a solver.
  public final class Request {
    private let model: Model
    private let policy: (any SitePolicy)?
    private let steps: Int
    private var state: Tensor
    /// The predictions so far.
    public private(set) var predictions: [Tensor] = []

    /// - Parameters:
    ///   - policy: the request's own.
    ///   - steps: number of evaluations.
    public init(_ model: @escaping Model, policy: (any SitePolicy)?, initial: Tensor, steps: Int) {
      self.model = model
      self.policy = policy
      self.steps = steps
      state = initial
    }

    /// The next evaluation; false when there is none left.
    public func advance() throws -> Bool {
      let step = predictions.count
      guard step < steps else { return false }
      let progress = Double(step) / Double(steps)
      let level = NoiseLevel(timestep: 1000 * (1 - progress), alpha: progress, sigma: 1 - progress)
      let context = StepContext(step: step, stepCount: steps, evaluation: step, evaluationCount: steps, level: level)
      let prediction = try withTensorErrors { try withInference { try model(state, Evaluation(context, policy: policy)) } }
      guard prediction.shape == state.shape else {
        throw LawViolation("the prediction of evaluation \(step) is \(prediction.shape) for a state of \(state.shape)")
      }
      predictions.append(prediction)
      state = try withTensorErrors { withInference { state - prediction * (1 / Double(steps)) } }
      return true
    }

    /// All evaluations that are left.
    public func finish() throws -> [Tensor] {
      while try advance() {}
      return predictions
    }
  }

  /// A policy with neutral parameters gives the bits of a run without any policy.
  /// - Parameter make: a fresh policy, as for a new request.
  public static func checkNeutral(
    _ name: String, model: @escaping Model, initial: Tensor, steps: Int = 6, _ make: () throws -> any SitePolicy
  ) throws {
    let plain = try Request(model, policy: nil, initial: initial, steps: steps).finish()
    let watched = try Request(model, policy: make(), initial: initial, steps: steps).finish()
    try compare(plain, watched, "\(name), though neutral, changes")
  }

  /// State lives in the policy object alone: two interleaved requests give the bits of two separate ones, and so does a repetition.
  public static func checkIsolation(
    _ name: String, model: @escaping Model, initials: (Tensor, Tensor), steps: Int = 6, _ make: () throws -> any SitePolicy
  ) throws {
    let first = try Request(model, policy: make(), initial: initials.0, steps: steps).finish()
    let second = try Request(model, policy: make(), initial: initials.1, steps: steps).finish()
    try compare(first, try Request(model, policy: make(), initial: initials.0, steps: steps).finish(), "\(name): a repetition changes")
    let a = Request(model, policy: try make(), initial: initials.0, steps: steps)
    let b = Request(model, policy: try make(), initial: initials.1, steps: steps)
    try interleave(a.advance, b.advance)
    try compare(first, a.predictions, "\(name): interleaving with another request changes")
    try compare(second, b.predictions, "\(name): interleaving with another request changes")
  }

  /// What a policy reports begins at zero, moves during a run, and belongs to one object.
  /// - Parameters:
  ///   - make: a policy set so that it acts.
  ///   - counters: what it reports; every one of them has to move.
  public static func checkCounters<Policy: SitePolicy>(
    _ name: String, model: @escaping Model, initial: Tensor, steps: Int = 6, make: () throws -> Policy, counters: (Policy) -> [String: Int]
  ) throws {
    let (used, idle) = (try make(), try make())
    guard !counters(used).isEmpty else { throw LawViolation("\(name) reports nothing") }
    for (key, value) in counters(used) where value != 0 { throw LawViolation("\(name): '\(key)' begins at \(value)") }
    _ = try Request(model, policy: used, initial: initial, steps: steps).finish()
    for (key, value) in counters(used) where value <= 0 { throw LawViolation("\(name): '\(key)' is \(value) after \(steps) evaluations") }
    for (key, value) in counters(idle) where value != 0 { throw LawViolation("\(name): '\(key)' of another request moved to \(value)") }
  }

  private static func compare(_ expected: [Tensor], _ found: [Tensor], _ what: String) throws {
    guard expected.count == found.count else { throw LawViolation("\(what) the number of evaluations") }
    for (index, pair) in zip(expected, found).enumerated() where try !pair.1.hasBits(of: pair.0) {
      throw LawViolation("\(what) evaluation \(index) by \(try pair.1.largestDifference(from: pair.0))")
    }
  }
}
