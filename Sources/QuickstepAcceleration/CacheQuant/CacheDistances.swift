public import QuickstepTensor

/// How far the values of one point of a network lie apart over full runs, by what the network was told: where a cache of that point is best
/// refreshed in runs with any number of evaluations of any solver, since what is computed at a level of noise hardly depends on the way there.
public struct CacheDistances: Sendable, Hashable, Codable {
  /// What is kept.
  public let point: CacheCorrection.Point
  /// Timesteps of the evaluations, falling.
  public let timesteps: [Double]
  /// Mean |x_i − x_j| by pairs of evaluations, `[T][T]`; symmetric, with zeros in the diagonal.
  public private(set) var means: [[Double]]

  /// Of nothing yet.
  /// - Throws: ``AccelerationError`` where timesteps do not fall, or there are fewer than two.
  public init(point: CacheCorrection.Point, timesteps: [Double]) throws {
    guard timesteps.count >= 2, timesteps.allSatisfy(\.isFinite), zip(timesteps, timesteps.dropFirst()).allSatisfy({ $0 > $1 }) else {
      throw AccelerationError("distances between evaluations at timesteps \(timesteps); they have to fall")
    }
    (self.point, self.timesteps) = (point, timesteps)
    means = Array(repeating: Array(repeating: 0, count: timesteps.count), count: timesteps.count)
  }

  /// Adds one batch of full runs with a share of all of them.
  /// - Parameters:
  ///   - values: one per evaluation, all of the same shape.
  ///   - share: of the batch's runs in all, 0…1.
  /// - Throws: ``AccelerationError`` for another number of values, shapes that differ, and numbers that are not finite.
  public mutating func add(_ values: [Tensor], share: Double) throws {
    guard values.count == timesteps.count, let shape = values.first?.shape, values.allSatisfy({ $0.shape == shape }) else {
      throw AccelerationError(
        "\(values.count) values of shapes \(Set(values.map(\.shape)).count) for runs of \(timesteps.count) evaluations")
    }
    let rows = try withTensorErrors { Tensor.stack(values).to(.float32).reshape([values.count, -1]) }
    let size = Double(shape.reduce(1, *))
    for index in values.indices.dropLast() {
      let others = try withTensorErrors {
        (rows.narrow(0, start: index + 1, length: values.count - index - 1) - rows.narrow(0, start: index, length: 1)).abs().sum([1])
      }.scalars(Float.self)
      for (offset, sum) in others.enumerated() {
        guard sum.isFinite else { throw AccelerationError("recorded values are not finite") }
        means[index][index + 1 + offset] += Double(sum) / size * share
        means[index + 1 + offset][index] = means[index][index + 1 + offset]
      }
    }
  }

  /// Where a timestep lies among the recorded evaluations, 0…T − 1.
  private func position(_ timestep: Double) -> Double {
    guard timestep < timesteps[0] else { return 0 }
    guard let after = timesteps.firstIndex(where: { $0 <= timestep }) else { return Double(timesteps.count - 1) }
    return Double(after) - (timestep - timesteps[after]) / (timesteps[after - 1] - timesteps[after])
  }

  /// The mean distance between evaluations at two timesteps, linear between those recorded.
  public func distance(_ first: Double, _ second: Double) -> Double {
    let (x, y) = (position(first), position(second))
    func between(_ row: [Double], _ place: Double) -> Double {
      let low = min(Int(place), timesteps.count - 2)
      return row[low] + (place - Double(low)) * (row[low + 1] - row[low])
    }
    let low = min(Int(x), timesteps.count - 2)
    // Between the same two recorded evaluations the table has a crease.
    if low == min(Int(y), timesteps.count - 2) { return abs(x - y) * means[low][low + 1] }
    let (above, below) = (between(means[low], y), between(means[low + 1], y))
    return above + (x - Double(low)) * (below - above)
  }

  /// CacheQuant's schedule (``CacheSchedule``) for a run that evaluates at these timesteps.
  /// - Parameter weights: what a distance at each evaluation counts; `nil` counts all the same, as the paper does.
  /// - Throws: ``AccelerationError`` where the run cannot be divided that way, or there is another number of weights.
  public func starts(timesteps: [Double], interval: Int, weights: [Double]? = nil) throws -> [Int] {
    if let weights, weights.count != timesteps.count {
      throw AccelerationError("\(weights.count) weights for \(timesteps.count) evaluations")
    }
    return try CacheSchedule.starts(count: timesteps.count, interval: interval) {
      distance(timesteps[$0], timesteps[$1]) * (weights?[$1] ?? 1)
    }
  }
}
