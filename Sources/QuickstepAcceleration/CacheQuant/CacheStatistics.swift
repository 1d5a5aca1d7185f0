import QuickstepNN
public import QuickstepTensor

/// Distances and moments between the values of one point of a network at neighbouring evaluations of full runs: what schedules and corrections
/// of caches are fitted to. Added up over batches, so that only one batch's values are held.
public struct CacheStatistics: Sendable {
  /// Evaluations of a run, T.
  public let evaluations: Int
  /// Pairs (s, i) with i − s below this are looked at.
  public let reach: Int
  /// Channels of a value.
  public private(set) var channels = 0
  /// Numbers per channel and evaluation so far.
  public private(set) var count = 0.0
  /// Σ x and Σ x² by evaluation and channel; Σ x_s·x_i by start, distance and channel.
  private var sums: [[Double]], squares: [[Double]], products: [[[Double]]]
  /// Σ |x_i − x_s| by start and distance; Σ |x_s|.
  private var distances: [[Double]], sizes: [Double]

  /// Of nothing yet.
  public init(evaluations: Int, reach: Int) {
    (self.evaluations, self.reach) = (evaluations, max(1, reach))
    (sums, squares) = (Array(repeating: [], count: evaluations), Array(repeating: [], count: evaluations))
    products = Array(repeating: Array(repeating: [], count: self.reach), count: evaluations)
    distances = Array(repeating: Array(repeating: 0, count: self.reach), count: evaluations)
    sizes = Array(repeating: 0, count: evaluations)
  }

  /// The axis of channels: the second of `[B, C, H, W]`, the last of `[B, L, C]`.
  static func channelAxis(_ rank: Int) -> Int { rank == 3 ? 2 : 1 }

  /// Adds one batch of runs.
  /// - Parameter values: one per evaluation, all of the same shape `[B, C, H, W]`, `[B, L, C]` or `[B, C]`.
  /// - Throws: ``AccelerationError`` for another number of values, shapes that differ, and numbers that are not finite.
  public mutating func add(_ values: [Tensor]) throws {
    guard values.count == evaluations, let first = values.first else {
      throw AccelerationError("\(values.count) values of runs of \(evaluations) evaluations")
    }
    guard values.allSatisfy({ $0.shape == first.shape }), first.rank >= 2, first.rank != 5 else {
      throw AccelerationError(
        "values of shapes \(Set(values.map(\.shape)).sorted { $0.count < $1.count }); allowed: all the same, of 2 to 4 axes")
    }
    let axis = Self.channelAxis(first.rank)
    guard channels == 0 || channels == first.size(axis) else {
      throw AccelerationError("values of \(first.size(axis)) channels after some of \(channels)")
    }
    channels = first.size(axis)
    let axes = (0..<first.rank).filter { $0 != axis }
    // One value per row: [C, …] in Double.
    let rows = try withTensorErrors {
      values.map { $0.to(.float64).movedAxis(axis).reshape([channels, -1]).contiguous() }
    }
    count += Double(first.shape.enumerated().reduce(1) { axes.contains($1.offset) ? $0 * $1.element : $0 })
    for start in 0..<evaluations {
      Self.add(try sum(rows[start]), to: &sums[start])
      Self.add(try sum(rows[start] * rows[start]), to: &squares[start])
      sizes[start] += try withTensorErrors { rows[start].abs().sum() }.item()
      for distance in 1..<max(1, min(reach, evaluations - start)) {
        let other = rows[start + distance]
        Self.add(try sum(rows[start] * other), to: &products[start][distance])
        distances[start][distance] += try withTensorErrors { (other - rows[start]).abs().sum() }.item()
      }
    }
    guard sums.allSatisfy({ $0.allSatisfy(\.isFinite) }), squares.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
      throw AccelerationError("recorded values are not finite")
    }
  }

  /// Σ |x_i − x_s|; divided by Σ |x_s| where relative.
  public func distance(from start: Int, to evaluation: Int, isRelative: Bool = false) -> Double {
    let distance = distances[start][evaluation - start]
    return isRelative && sizes[start] > 0 ? distance / sizes[start] : distance
  }

  /// Least squares of x_i by a·x_s + b, channel by channel: a = cov/var, b = mean x_i − a·mean x_s, both moments unbiased. Where x_s does not
  /// vary, a = 1.
  public func fit(from start: Int, to evaluation: Int) -> (factors: [Double], offsets: [Double]) {
    guard evaluation > start else { return (Array(repeating: 1, count: channels), Array(repeating: 0, count: channels)) }
    var (factors, offsets) = ([Double](), [Double]())
    for channel in 0..<channels {
      let (x, y) = (sums[start][channel] / count, sums[evaluation][channel] / count)
      let variance = squares[start][channel] / count - x * x
      let covariance = products[start][evaluation - start][channel] / count - x * y
      // Below rounding of the sums there is no variance to divide by.
      let factor = variance > 1e-12 * (squares[start][channel] / count) && variance > 0 ? covariance / variance : 1
      factors.append(factor)
      offsets.append(y - factor * x)
    }
    return (factors, offsets)
  }

  /// Mean square of x_i − x_s, and of what the fit leaves of it.
  public func error(from start: Int, to evaluation: Int) -> (plain: Double, corrected: Double) {
    guard evaluation > start, channels > 0 else { return (0, 0) }
    let fit = fit(from: start, to: evaluation)
    var (plain, corrected) = (0.0, 0.0)
    for channel in 0..<channels {
      let (x, y) = (sums[start][channel] / count, sums[evaluation][channel] / count)
      let (xx, yy) = (squares[start][channel] / count, squares[evaluation][channel] / count)
      let xy = products[start][evaluation - start][channel] / count
      let (a, b) = (fit.factors[channel], fit.offsets[channel])
      plain += yy - 2 * xy + xx
      corrected += yy - 2 * a * xy - 2 * b * y + a * a * xx + 2 * a * b * x + b * b
    }
    return (max(0, plain) / Double(channels), max(0, corrected) / Double(channels))
  }

  private func sum(_ rows: Tensor) throws -> [Double] { try withTensorErrors { rows.sum([1]) }.scalars(Double.self) }

  private static func add(_ values: [Double], to sums: inout [Double]) {
    sums = sums.isEmpty ? values : zip(sums, values).map(+)
  }
}

extension Tensor {
  /// The axis first, the others in order.
  fileprivate func movedAxis(_ axis: Int) -> Tensor { permute([axis] + (0..<rank).filter { $0 != axis }) }
}
