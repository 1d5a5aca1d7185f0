public import QuickstepTensor

extension Tensor {
  /// The elements' bytes, row-major.
  public func elementBytes() throws -> [UInt8] { try withUnsafeBytes { Array($0) } }

  /// Whether type, shape and every bit are those of `other`. Two NaNs of the same bits are equal.
  public func hasBits(of other: Tensor) throws -> Bool {
    try checkDefined()
    try other.checkDefined()
    guard dtype == other.dtype, shape == other.shape else { return false }
    return try elementBytes() == other.elementBytes()
  }

  /// The largest elementwise difference, in root mean squares of `expected` (1 where that is 0); infinite when shapes differ or a number is
  /// not finite.
  public func largestDifference(from expected: Tensor) throws -> Double {
    try checkDefined()
    try expected.checkDefined()
    guard shape == expected.shape else { return .infinity }
    let found = try to(.float64).scalars(Double.self)
    let wanted = try expected.to(.float64).scalars(Double.self)
    let scale = (wanted.reduce(0) { $0 + $1 * $1 } / Double(Swift.max(1, wanted.count))).squareRoot()
    return zip(found, wanted).reduce(0) { worst, pair in
      let gap = Swift.abs(pair.0 - pair.1)
      return gap.isFinite ? Swift.max(worst, gap / (scale > 0 ? scale : 1)) : .infinity
    }
  }
}
