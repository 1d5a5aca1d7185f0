package import QuickstepNN
package import QuickstepTensor

/// Rows of an ``OLSSPlan`` fitted one after another, each to the predictions that the rows before lead to.
///
/// The paper fits every row to the predictions of the full run, which the short run never sees: its states are off by the errors of the rows
/// before. In this order each row knows exactly what it will be given, at the same cost as one run of the plan.
package struct OLSSRows: Sendable {
  /// Levels of the n + 1 states, the final one included.
  package let levels: [NoiseLevel]
  private var initial: [Double] = []
  private var noises: [[Double]] = []
  private var errors: [Double] = []

  /// - Parameter levels: of the n + 1 states.
  package init(levels: [NoiseLevel]) { self.levels = levels }

  /// Fits the next row.
  /// - Parameters: one tensor per batch of runs: the initial states, the noises predicted so far, and where the runs should be next.
  /// - Returns: where they are.
  /// - Throws: ``SamplingError`` for values that are not finite; `TensorError`.
  package mutating func fit(start: [Tensor], predicted: [[Tensor]], wanted: [Tensor]) throws -> [Tensor] {
    let width = predicted.count + 1
    var sums = Array(repeating: 0.0, count: (width + 1) * (width + 1))
    var count = 0
    for batch in start.indices {
      let columns = [start[batch]] + predicted.map { $0[batch] } + [wanted[batch]]
      count += wanted[batch].count
      let products = try withInference {
        try withTensorErrors {
          let matrix = Tensor.stack(columns.map { $0.to(.float64, .cpu).reshape([-1]) })
          return matrix.matmul(matrix.transposed)
        }
      }.scalars(Double.self)
      guard products.allSatisfy(\.isFinite) else { throw SamplingError("a recorded run holds values that are not finite") }
      for index in sums.indices { sums[index] += products[index] }
    }
    func product(_ i: Int, _ j: Int) -> Double { sums[i * (width + 1) + j] }
    let solved = LeastSquares(
      gram: (0..<width).map { i in (0..<width).map { product(i, $0) } }, target: (0..<width).map { product($0, width) },
      energy: product(width, width))
    initial.append(solved.weights[0])
    noises.append(Array(solved.weights.dropFirst()))
    errors.append((solved.residual / Double(max(1, count))).squareRoot())
    return try start.indices.map { batch in
      try withInference {
        try withTensorErrors {
          var sum = start[batch] * solved.weights[0]
          for (row, weight) in solved.weights.dropFirst().enumerated() { sum = sum + predicted[row][batch] * weight }
          return sum
        }
      }
    }
  }

  /// The plan, when all rows are fitted.
  /// - Throws: ``SamplingError`` where rows are missing or hold no numbers.
  package func plan() throws -> OLSSPlan {
    let plan = OLSSPlan(levels: levels, initial: initial, noises: noises, errors: errors)
    try plan.validate()
    return plan
  }
}
