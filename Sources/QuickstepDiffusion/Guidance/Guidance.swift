public import QuickstepNN

/// A table of weights over named branches: the guided output is Σ w_b · output_b, branch b being the model under condition b.
///
/// Classifier-free guidance, several conditions, guidance intervals and skipping are all rows of such a table. Branches whose weight is 0
/// at a step are not evaluated there.
public struct Guidance: Hashable, Sendable, Codable {
  /// When a weight has its inner value.
  public enum Window: Hashable, Sendable, Codable {
    /// At every evaluation.
    case always
    /// At steps i with start·n ≤ i < end·n, as fractions of the n steps.
    case steps(start: Double, end: Double)
    /// Where lower < σ/α ≤ upper (Kynkäänniemi et al. 2024).
    case noise(lower: Double, upper: Double)

    func contains(_ context: StepContext) -> Bool {
      switch self {
      case .always: true
      case .steps(let start, let end):
        Double(context.step) >= start * Double(context.stepCount) && Double(context.step) < end * Double(context.stepCount)
      case .noise(let lower, let upper):
        context.level.lambda < Self.lambda(lower) && context.level.lambda >= Self.lambda(upper)
      }
    }

    private static func lambda(_ ratio: Double) -> Double { Frame.sigma.lambda(coordinate: ratio) ?? -.infinity }
  }

  /// One row: a branch and its weight.
  public struct Branch: Hashable, Sendable, Codable {
    /// Name the backbone knows the condition by.
    public var name: String
    /// Weight inside the window.
    public var weight: Double
    /// When that holds.
    public var window: Window
    /// Weight outside of it.
    public var outside: Double

    /// A branch and its weight.
    public init(_ name: String, weight: Double, window: Window = .always, outside: Double = 0) {
      self.name = name
      self.weight = weight
      self.window = window
      self.outside = outside
    }
  }

  /// The rows, in the order in which they are stacked along the batch.
  public var branches: [Branch]

  /// Any table.
  /// - Throws: ``SamplingError`` for an empty table, repeated names or weights that are not finite.
  public init(_ branches: [Branch]) throws {
    guard !branches.isEmpty else { throw SamplingError("a guidance table without branches; allowed: 1 and above") }
    guard Set(branches.map(\.name)).count == branches.count else {
      throw SamplingError("guidance branches \(branches.map(\.name)) are not all different")
    }
    for branch in branches where !(branch.weight.isFinite && branch.outside.isFinite) {
      throw SamplingError("weight of guidance branch '\(branch.name)' is \(branch.weight) (outside: \(branch.outside)); allowed: finite")
    }
    self.branches = branches
  }

  private init(unchecked branches: [Branch]) { self.branches = branches }

  /// One branch with weight 1.
  public static func none(_ name: String = "positive") -> Guidance { Guidance(unchecked: [Branch(name, weight: 1)]) }

  /// Classifier-free guidance, uncond + s·(cond − uncond) (Ho and Salimans 2022): weight 1−s on the negative branch, s on the positive one.
  /// Outside the window the positive branch alone.
  /// - Parameter scale: s; 1 is no guidance and evaluates one branch.
  /// - Throws: ``SamplingError`` when it is not finite.
  public static func classifierFree(
    scale: Double, window: Window = .always, negative: String = "negative", positive: String = "positive"
  ) throws -> Guidance {
    try Guidance([
      Branch(negative, weight: 1 - scale, window: window, outside: 0), Branch(positive, weight: scale, window: window, outside: 1),
    ])
  }

  /// Several conditions, uncond + Σ s_k·(cond_k − uncond) (Liu et al. 2022, composable diffusion).
  /// - Throws: ``SamplingError`` for repeated names and scales that are not finite.
  public static func composed(_ conditions: [(name: String, scale: Double)], negative: String = "negative") throws -> Guidance {
    let total = conditions.reduce(0) { $0 + $1.scale }
    return try Guidance([Branch(negative, weight: 1 - total)] + conditions.map { Branch($0.name, weight: $0.scale) })
  }

  /// The branches to be evaluated at a point of the run, and their weights.
  public func active(_ context: StepContext) -> [(name: String, weight: Double)] {
    branches.map { (name: $0.name, weight: $0.window.contains(context) ? $0.weight : $0.outside) }.filter { $0.weight != 0 }
  }
}
