extension Pareto {
  /// Volume of all that the points dominate, up to a reference point (Zitzler & Thiele 1998). Exact.
  ///
  /// A sweep for two objectives; for more, the points are taken one after the other with what the later ones leave of their boxes (While,
  /// Bradstreet & Barone 2012, "WFG"), which takes long for hundreds of points in many dimensions.
  /// - Parameters:
  ///   - points: in any order; dominated and repeated ones change nothing.
  ///   - reference: one coordinate per objective. Points that are not smaller in every coordinate contribute nothing.
  public static func hypervolume(_ points: [[Double]], reference: [Double]) -> Double {
    let inside = points.filter { point in zip(point, reference).allSatisfy { $0 < $1 } }
    switch reference.count {
    case 0: return 0
    case 1: return inside.map { reference[0] - $0[0] }.max() ?? 0
    case 2: return sweep(inside, reference)
    default: return sliced(inside, reference)
    }
  }

  private static func sweep(_ points: [[Double]], _ reference: [Double]) -> Double {
    var volume = 0.0
    var height = reference[1]
    for point in points.sorted(by: { $0.lexicographicallyPrecedes($1) }) where point[1] < height {
      volume += (reference[0] - point[0]) * (height - point[1])
      height = point[1]
    }
    return volume
  }

  /// The sum over points of what each dominates alone among those after it.
  private static func sliced(_ points: [[Double]], _ reference: [Double]) -> Double {
    guard reference.count > 2 else { return sweep(points, reference) }
    let front = nondominated(points).map { points[$0] }
    // Worst last coordinate first: then all later points reach at least as far in it, and the limited ones have one coordinate less to differ in.
    let order = front.sorted { left, right in
      left[left.count - 1] != right[right.count - 1]
        ? left[left.count - 1] > right[right.count - 1] : left.lexicographicallyPrecedes(right)
    }
    let lower = Array(reference.dropLast())
    var volume = 0.0
    for (index, point) in order.enumerated() {
      let base = Array(point.dropLast())
      let limited = order[(index + 1)...].map { later in zip(base, later).map { max($0, $1) } }
      let alone = zip(lower, base).reduce(1.0) { $0 * ($1.0 - $1.1) } - sliced(limited, lower)
      volume += (reference[reference.count - 1] - point[point.count - 1]) * alone
    }
    return volume
  }
}
