/// min |A·w − y|² from the inner products alone: AᵀA, Aᵀy, yᵀy.
///
/// Columns are first scaled to length 1. Inner products square the condition number, so that columns that are close to being combinations of
/// earlier ones would get huge alternating weights from rounding; where a pivot says so, a small multiple of the identity is added.
struct LeastSquares {
  /// One weight per column.
  let weights: [Double]
  /// |A·w − y|², not below 0.
  let residual: Double

  /// Pivots of scaled columns below this mean that the products do not hold enough digits.
  private static let leastPivot = 1e-10
  /// Added to the diagonal of scaled columns then: the card of OLSS asks for 10⁻⁶ of the mean diagonal, which scaling makes 1.
  private static let ridge = 1e-6

  /// - Parameters:
  ///   - gram: AᵀA, k × k, symmetric.
  ///   - target: Aᵀy, k.
  ///   - energy: yᵀy.
  init(gram: [[Double]], target: [Double], energy: Double) {
    let scales = gram.indices.map { gram[$0][$0] > 0 ? gram[$0][$0].squareRoot() : 1 }
    let scaled = gram.indices.map { i in gram.indices.map { j in gram[i][j] / (scales[i] * scales[j]) } }
    let right = target.indices.map { target[$0] / scales[$0] }
    let solution = Self.solve(scaled, right, ridge: 0) ?? Self.solve(scaled, right, ridge: Self.ridge) ?? right.map { _ in 0 }
    weights = solution.indices.map { solution[$0] / scales[$0] }
    var sum = energy
    for i in weights.indices {
      sum -= 2 * weights[i] * target[i]
      for j in weights.indices { sum += weights[i] * weights[j] * gram[i][j] }
    }
    residual = max(0, sum)
  }

  /// By Cholesky's decomposition; `nil` where a pivot vanishes.
  private static func solve(_ matrix: [[Double]], _ right: [Double], ridge: Double) -> [Double]? {
    let count = right.count
    var lower = matrix
    for j in 0..<count {
      let pivot = matrix[j][j] + ridge - (0..<j).reduce(0) { $0 + lower[j][$1] * lower[j][$1] }
      guard pivot > leastPivot else { return nil }
      lower[j][j] = pivot.squareRoot()
      for i in j + 1..<max(count, j + 1) {
        lower[i][j] = (matrix[i][j] - (0..<j).reduce(0) { $0 + lower[i][$1] * lower[j][$1] }) / lower[j][j]
      }
    }
    var result = right
    for i in 0..<count { result[i] = (result[i] - (0..<i).reduce(0) { $0 + lower[i][$1] * result[$1] }) / lower[i][i] }
    for i in (0..<count).reversed() {
      result[i] = (result[i] - (i + 1..<max(count, i + 1)).reduce(0) { $0 + lower[$1][i] * result[$1] }) / lower[i][i]
    }
    return result
  }
}
