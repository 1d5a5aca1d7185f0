/// The straight line of least squares through points.
struct LineFit {
  /// Of y = intercept + slope · x.
  let intercept: Double, slope: Double
  /// Standard error of the intercept when the points' errors are independent and alike; 0 for fewer than three points.
  let interceptError: Double

  /// - Parameters:
  ///   - x: not all alike.
  ///   - y: as many.
  init(x: [Double], y: [Double]) {
    let count = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    let spread = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
    let slope = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / spread
    let intercept = meanY - slope * meanX
    let residual = zip(x, y).reduce(0) { $0 + ($1.1 - intercept - slope * $1.0) * ($1.1 - intercept - slope * $1.0) }
    (self.slope, self.intercept) = (slope, intercept)
    interceptError = count > 2 ? (residual / (count - 2) * (1 / count + meanX * meanX / spread)).squareRoot() : 0
  }
}
