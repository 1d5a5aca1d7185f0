public import QuickstepNN
public import QuickstepTensor

/// Inner products among the states and predictions of full runs, summed over runs: all that least-squares fits to a path need of it.
///
/// The columns are x⁰ (the initial state) … x^M (the final one) and ε⁰ … ε^{M−1}, the noise predicted at x^i. Tensors need not be kept, and
/// any number of runs takes (2M + 1)² numbers.
public struct PathProducts: Sendable, Codable, Hashable {
  /// Levels of x⁰ … x^M.
  public let levels: [NoiseLevel]
  /// Numbers in a column so far: elements of a sample times samples.
  public private(set) var count = 0
  /// Runs added so far.
  public private(set) var runs = 0
  /// Row by row, (2M + 1) × (2M + 1).
  private var products: [Double]

  /// - Parameter levels: of the M + 1 states of a run, the clean one included.
  public init(levels: [NoiseLevel]) {
    self.levels = levels
    let size = 2 * levels.count - 1
    products = Array(repeating: 0, count: size * size)
  }

  /// Steps of a run, M.
  public var steps: Int { levels.count - 1 }

  /// Adds one sample's run.
  /// - Parameters:
  ///   - states: x⁰ … x^M, of one shape.
  ///   - denoised: x̂0 at x⁰ … x^{M−1}.
  /// - Throws: ``SamplingError`` when there are not as many as there are levels; what an operation throws.
  public mutating func add(states: [Tensor], denoised: [Tensor]) throws {
    try add(states: states, predictions: zip(states, denoised).map { ($0, $1) })
  }

  /// Adds one sample's run whose predictions were made at other states than its own: what a solver reached by itself, beside where it should
  /// have been.
  /// - Parameters:
  ///   - states: x⁰ … x^M, of one shape.
  ///   - predictions: the states the model saw at the levels of x⁰ … x^{M−1}, and x̂0 there.
  /// - Throws: ``SamplingError`` when there are not as many as there are levels; what an operation throws.
  public mutating func add(states: [Tensor], predictions: [(state: Tensor, denoised: Tensor)]) throws {
    guard states.count == steps + 1, predictions.count == steps else {
      throw SamplingError("a run of \(states.count) states and \(predictions.count) predictions; \(steps + 1) and \(steps) are needed")
    }
    let sums = try withInference {
      try withTensorErrors {
        let noises = zip(predictions, levels).map { seen, level in
          (seen.state.to(.float64, .cpu) - seen.denoised.to(.float64, .cpu) * level.alpha) / level.sigma
        }
        let columns = Tensor.stack((states.map { $0.to(.float64, .cpu) } + noises).map { $0.reshape([-1]) })
        return columns.matmul(columns.transposed)
      }
    }
    let added: [Double] = try sums.scalars()
    guard added.allSatisfy(\.isFinite) else { throw SamplingError("a recorded run holds values that are not finite") }
    for index in products.indices { products[index] += added[index] }
    count += states[0].count
    runs += 1
  }

  /// ⟨column i, column j⟩; states are columns 0…M, noises M + 1…2M.
  func product(_ i: Int, _ j: Int) -> Double { products[i * (2 * steps + 1) + j] }

  /// Column of ε^i.
  func noise(_ index: Int) -> Int { steps + 1 + index }

  /// The best combination of some columns for another one.
  /// - Returns: the weights in the order of the columns, and the mean squared error per element.
  func fit(_ columns: [Int], to target: Int) -> (weights: [Double], error: Double) {
    let solved = LeastSquares(
      gram: columns.map { i in columns.map { product(i, $0) } }, target: columns.map { product($0, target) },
      energy: product(target, target))
    return (solved.weights, solved.residual / Double(max(count, 1)))
  }
}
