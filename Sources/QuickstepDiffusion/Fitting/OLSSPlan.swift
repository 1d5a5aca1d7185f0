public import QuickstepNN

/// A fitted linear solver: at which levels the model is evaluated, and with which weights its predictions are added up.
///
/// x_{i+1} = w_i·x_T + Σ_{j≤i} v_ij·ε_j (Duan et al. 2023, arXiv 2305.14677). Written as JSON by `quickstep calibrate olss`.
public struct OLSSPlan: Sendable, Codable, Hashable {
  /// What it was fitted to, for messages and for checking.
  public struct Origin: Sendable, Codable, Hashable {
    /// Name and fingerprint of the model.
    public var model: String
    public var fingerprint: String
    /// The full runs: solver and steps.
    public var teacher: String
    public var teacherSteps: Int
    /// Guidance of the full runs.
    public var guidanceScale: Double
    /// Full runs it was fitted to.
    public var samples: Int
    /// How often the weights were fitted anew to the states that the plan itself reaches.
    public var rounds: Int
    /// Whether rows were fitted one after another, in place of rounds; `nil` in plans of before there was that.
    public var isInOrder: Bool?
    /// Methods of acceleration that ran while the rows were fitted, so that these make up for their errors; `nil` for none.
    public var accelerations: [String]?

    /// What a plan was fitted to.
    public init(
      model: String, fingerprint: String, teacher: String, teacherSteps: Int, guidanceScale: Double, samples: Int, rounds: Int,
      isInOrder: Bool = false, accelerations: [String]? = nil
    ) {
      self.model = model
      self.fingerprint = fingerprint
      self.teacher = teacher
      self.teacherSteps = teacherSteps
      self.guidanceScale = guidanceScale
      self.samples = samples
      self.rounds = rounds
      self.isInOrder = isInOrder
      self.accelerations = accelerations
    }
  }

  /// Version of the file's form.
  public static let version = 1
  /// ``version`` of the program that wrote it.
  public var version = OLSSPlan.version
  /// Levels of the n + 1 states, the final one included.
  public var levels: [NoiseLevel]
  /// w, n.
  public var initial: [Double]
  /// v, row i has i + 1 entries.
  public var noises: [[Double]]
  /// Root of the mean squared error of each row's fit, n.
  public var errors: [Double]
  /// What it was fitted to.
  public var origin: Origin?

  /// Number of evaluations, n.
  public var steps: Int { initial.count }

  /// Weights for given steps of a recorded path: row i fits x^{p_{i+1}} by x⁰ and ε^{p_0} … ε^{p_i}.
  /// - Parameters:
  ///   - products: of full runs.
  ///   - path: p_0 = 0 < p_1 < … < p_{n−1} < M.
  /// - Throws: ``SamplingError`` when the path is not of that form or nothing was recorded.
  public init(_ products: PathProducts, path: [Int]) throws {
    guard products.runs > 0 else { throw SamplingError("no run was recorded to fit a solver to") }
    guard path.first == 0, zip(path, path.dropFirst()).allSatisfy({ $0 < $1 }), let last = path.last, last < products.steps else {
      throw SamplingError(
        "\(path) is no path through \(products.steps) steps: it has to begin at 0 and rise, staying below \(products.steps)")
    }
    let ends = path.dropFirst() + [products.steps]
    levels = (path + [products.steps]).map { products.levels[$0] }
    (initial, noises, errors) = ([], [], [])
    for (row, end) in ends.enumerated() {
      let fitted = products.fit([0] + path[...row].map(products.noise), to: end)
      initial.append(fitted.weights[0])
      noises.append(Array(fitted.weights.dropFirst()))
      errors.append(fitted.error.squareRoot())
    }
  }

  init(levels: [NoiseLevel], initial: [Double], noises: [[Double]], errors: [Double]) {
    (self.levels, self.initial, self.noises, self.errors) = (levels, initial, noises, errors)
  }

  /// The plan whose greatest error over its steps is as small as `steps` evaluations allow: path search by bisection on the error.
  /// - Parameter steps: evaluations, at most those of the recorded runs.
  /// - Throws: ``SamplingError`` for impossible numbers of steps.
  public init(_ products: PathProducts, steps: Int) throws {
    try self.init(products, path: OLSSPath.search(products, steps: steps))
  }

  /// Whether the numbers fit together.
  /// - Throws: ``SamplingError`` naming what does not.
  public func validate() throws {
    guard version == Self.version else { throw SamplingError("the plan has version \(version); this program reads \(Self.version)") }
    guard steps >= 1, levels.count == steps + 1, noises.count == steps, noises.enumerated().allSatisfy({ $1.count == $0 + 1 }) else {
      throw SamplingError(
        "the plan has \(levels.count) levels, \(initial.count) weights of the initial state and rows of \(noises.map(\.count)) weights; "
          + "n steps need n + 1, n, and rows of 1…n")
    }
    guard (initial + noises.flatMap(\.self)).allSatisfy(\.isFinite), levels.dropLast().allSatisfy({ $0.sigma > 0 }) else {
      throw SamplingError("the plan holds weights that are not finite, or evaluates without noise")
    }
  }
}

/// Which steps of a full run are kept.
enum OLSSPath {
  /// Bisections of the error; each halves the interval.
  private static let bisections = 40

  static func search(_ products: PathProducts, steps: Int) throws -> [Int] {
    guard (1...products.steps).contains(steps) else {
      throw SamplingError("\(steps) steps out of runs of \(products.steps); allowed: 1…\(products.steps)")
    }
    // What fits nothing at all bounds the error from above.
    var (low, high) = (0.0, (0...products.steps).map { products.product($0, $0) }.max().map { $0 / Double(max(products.count, 1)) } ?? 0)
    var best = greedy(products, steps: steps, limit: high) ?? Array(0..<steps)
    for _ in 0..<bisections {
      let limit = (low + high) / 2
      if let path = greedy(products, steps: steps, limit: limit) { (best, high) = (path, limit) } else { low = limit }
    }
    return best
  }

  /// Steps as long as the error allows; `nil` when the end is not reached in time.
  private static func greedy(_ products: PathProducts, steps: Int, limit: Double) -> [Int]? {
    var path = [0]
    for _ in 0..<steps {
      let from = path[path.count - 1]
      let columns = [from] + path.map(products.noise)
      var (near, far) = (from + 1, products.steps)
      while near < far {
        let middle = (near + far + 1) / 2
        if products.fit(columns, to: middle).error > limit { far = middle - 1 } else { near = middle }
      }
      if near == products.steps { return path }
      path.append(near)
    }
    return nil
  }
}
