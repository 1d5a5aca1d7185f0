extension Pareto {
  /// Sorts points into fronts (Deb et al. 2002, section III-A): the first is dominated by none, the next by the first alone, and so on.
  /// - Returns: indices, front by front, each in ascending order.
  public static func fronts(_ points: [[Double]]) -> [[Int]] { fronts(points, violations: Array(repeating: 0, count: points.count)) }

  /// The same for outcomes, with feasible ones before others.
  public static func fronts(_ outcomes: [Outcome]) -> [[Int]] { fronts(outcomes.map(\.objectives), violations: outcomes.map(\.violation)) }

  private static func fronts(_ points: [[Double]], violations: [Double]) -> [[Int]] {
    let count = points.count
    var dominated: [[Int]] = Array(repeating: [], count: count)
    var dominators = Array(repeating: 0, count: count)
    for first in 0..<count {
      let point = points[first]
      for second in (first + 1)..<max(count, first + 1) {
        var order = violations[first] - violations[second]
        if order == 0 { order = compare(point, points[second]) }
        guard order != 0 else { continue }
        dominated[order < 0 ? first : second].append(order < 0 ? second : first)
        dominators[order < 0 ? second : first] += 1
      }
    }
    var result: [[Int]] = []
    var current = (0..<count).filter { dominators[$0] == 0 }
    while !current.isEmpty {
      result.append(current)
      var next: [Int] = []
      for index in current {
        for other in dominated[index] {
          dominators[other] -= 1
          if dominators[other] == 0 { next.append(other) }
        }
      }
      current = next.sorted()
    }
    return result
  }

  /// −1 where the first dominates, 1 where the second does, 0 otherwise.
  private static func compare(_ first: [Double], _ second: [Double]) -> Double {
    var (isSmaller, isLarger) = (false, false)
    for index in 0..<first.count {
      let (left, right) = (first[index], second[index])
      if left < right { isSmaller = true } else if left > right { isLarger = true }
      if isSmaller && isLarger { return 0 }
    }
    return isSmaller ? -1 : isLarger ? 1 : 0
  }

  /// Indices of the points that no other dominates, in lexicographic order; of equal points the first.
  static func nondominated(_ points: [[Double]]) -> [Int] {
    let order = points.indices.sorted { left, right in
      points[left] == points[right] ? left < right : points[left].lexicographicallyPrecedes(points[right])
    }
    var result: [Int] = []
    var front: [[Double]] = []
    for index in order {
      let point = points[index]
      // In this order no point is dominated by a later one. With two objectives the last of the front has the smallest second one.
      let isBehind =
        point.count == 2
        ? front.last.map { $0[1] <= point[1] } ?? false : front.contains { $0 == point || compare($0, point) < 0 }
      if isBehind { continue }
      result.append(index)
      front.append(point)
    }
    return result
  }

  /// How much room each point of a front has (Deb et al. 2002, section III-B): the sum over objectives of the distance between its two
  /// neighbours, in widths of the front. The outermost points have infinitely much.
  public static func crowdingDistances(_ points: [[Double]]) -> [Double] {
    var result = Array(repeating: 0.0, count: points.count)
    for objective in points.first?.indices ?? 0..<0 {
      // Equal values keep their order, so that the result is one of the input alone.
      let order = points.indices.sorted { (points[$0][objective], $0) < (points[$1][objective], $1) }
      guard let first = order.first, let last = order.last else { continue }
      let width = points[last][objective] - points[first][objective]
      (result[first], result[last]) = (.infinity, .infinity)
      guard width > 0 else { continue }
      for place in order.indices.dropFirst().dropLast() {
        result[order[place]] += (points[order[place + 1]][objective] - points[order[place - 1]][objective]) / width
      }
    }
    return result
  }

  /// The point of a front that gives up least: with objectives scaled to 0…1 over the front, the one with the smallest sum, which lies
  /// furthest below the plane through the ends (Das 1999). Objectives that are equal everywhere do not count.
  /// - Returns: its index, the first of equal ones; `nil` without points.
  public static func knee(_ points: [[Double]]) -> Int? {
    guard let first = points.first else { return nil }
    let ranges = first.indices.map { objective in
      let values = points.map { $0[objective] }
      return (low: values.min() ?? 0, high: values.max() ?? 0)
    }
    let sums = points.map { point in
      zip(point, ranges).reduce(0.0) { $1.1.high > $1.1.low ? $0 + ($1.0 - $1.1.low) / ($1.1.high - $1.1.low) : $0 }
    }
    return sums.indices.min { sums[$0] < sums[$1] }
  }

  /// The trials that no other one is preferred to, by the first objective and so on: feasible ones of full fidelity. Of trials with equal
  /// objectives the first counts.
  public static func front(_ trials: [Trial]) -> [Trial] {
    let candidates = trials.filter { $0.isFeasible && $0.fidelity == 1 }
    return nondominated(candidates.compactMap { $0.outcome?.objectives }).map { candidates[$0] }
  }
}

/// Trials in the order in which NSGA-II prefers them: by front, and within a front those with more room first. Failed trials come last.
struct Ranking {
  /// Indices, best first.
  let order: [Int]
  /// Front of each trial, from 0; `Int.max` for failed ones.
  let ranks: [Int]
  /// Crowding distance of each trial within its front.
  let distances: [Double]

  init(_ trials: [Trial]) { self.init(outcomes: trials.map(\.outcome)) }

  init(outcomes: [Outcome?]) {
    var ranks = Array(repeating: Int.max, count: outcomes.count)
    var distances = Array(repeating: 0.0, count: outcomes.count)
    let measured = outcomes.indices.filter { outcomes[$0] != nil }
    let known = outcomes.compactMap { $0 }
    for (rank, front) in Pareto.fronts(known).enumerated() {
      for (index, distance) in zip(front, Pareto.crowdingDistances(front.map { known[$0].objectives })) {
        ranks[measured[index]] = rank
        distances[measured[index]] = distance
      }
    }
    (self.ranks, self.distances) = (ranks, distances)
    order = outcomes.indices.sorted { left, right in
      ranks[left] != ranks[right]
        ? ranks[left] < ranks[right] : distances[left] != distances[right] ? distances[left] > distances[right] : left < right
    }
  }

  /// Whether one trial is preferred to another: the crowded comparison of NSGA-II.
  func prefers(_ first: Int, to second: Int) -> Bool {
    ranks[first] != ranks[second] ? ranks[first] < ranks[second] : distances[first] > distances[second]
  }
}
