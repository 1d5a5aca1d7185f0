/// Which evaluations of a run refresh a cache (CacheQuant, Liu et al. 2025, arXiv 2503.01323, section 3.2).
public enum CacheSchedule {
  /// The starts of contiguous groups with the least sum of distances between what is used and what would be computed, found by dynamic
  /// programming: L(n, k) = min over j of L(j, k − 1) + D(j, n), D(s, e) = Σ over s ≤ i < e of the distance between evaluations s and i.
  ///
  /// There are ⌈T/N⌉ groups of ⌈N/2⌉…2N evaluations each.
  /// - Parameters:
  ///   - count: evaluations, T.
  ///   - interval: mean evaluations of a group, N ≥ 1.
  ///   - distance: between a group's first evaluation and a later one, for every start s and 0 < i − s < 2N.
  /// - Returns: the starts in rising order; the first is 0.
  /// - Throws: ``AccelerationError`` where no such division exists or a distance is not finite.
  public static func starts(count: Int, interval: Int, distance: (_ start: Int, _ evaluation: Int) -> Double) throws -> [Int] {
    guard count >= 1, interval >= 1 else {
      throw AccelerationError("a schedule of \(count) evaluations with \(interval) per group; allowed: 1 and above")
    }
    let groups = (count + interval - 1) / interval
    let lengths = ((interval + 1) / 2)...(2 * interval)
    guard groups * lengths.lowerBound <= count, groups * lengths.upperBound >= count else {
      throw AccelerationError(
        "\(count) evaluations cannot be divided into \(groups) groups of \(lengths.lowerBound)…\(lengths.upperBound); take another interval"
      )
    }
    let costs = try groupCosts(count, lengths.upperBound, distance)
    // best[n]: the least cost of the first n evaluations in k groups; before[k][n]: where the last of these groups begins.
    var best = [Double](repeating: .infinity, count: count + 1)
    best[0] = 0
    var before: [[Int]] = []
    for _ in 0..<groups {
      var (next, origin) = ([Double](repeating: .infinity, count: count + 1), [Int](repeating: -1, count: count + 1))
      for end in lengths.lowerBound...count {
        for start in max(0, end - lengths.upperBound)...(end - lengths.lowerBound) where best[start].isFinite {
          let cost = best[start] + costs[start][end - start]
          if cost < next[end] { (next[end], origin[end]) = (cost, start) }
        }
      }
      best = next
      before.append(origin)
    }
    var (starts, end) = ([Int](), count)
    for origin in before.reversed() {
      end = origin[end]
      starts.insert(end, at: 0)
    }
    return starts
  }

  /// Every N-th evaluation.
  public static func uniform(count: Int, interval: Int) -> [Int] { Array(stride(from: 0, to: count, by: max(1, interval))) }

  /// D(s, s + length) by start and length.
  private static func groupCosts(_ count: Int, _ longest: Int, _ distance: (Int, Int) -> Double) throws -> [[Double]] {
    try (0..<count).map { start in
      var sums = [0.0, 0.0]
      for evaluation in (start + 1)..<max(start + 1, min(count, start + longest)) {
        let value = distance(start, evaluation)
        guard value.isFinite else {
          throw AccelerationError("the distance between evaluations \(start) and \(evaluation) is \(value)")
        }
        sums.append(sums[sums.count - 1] + value)
      }
      return sums
    }
  }
}
