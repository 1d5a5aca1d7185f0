/// Comparing points of which every coordinate is to be small.
public enum Pareto {
  /// Whether `first` is nowhere larger than `second` and somewhere smaller. Both have as many coordinates.
  public static func dominates(_ first: [Double], _ second: [Double]) -> Bool {
    var isSmaller = false
    for index in first.indices {
      if first[index] > second[index] { return false }
      if first[index] < second[index] { isSmaller = true }
    }
    return isSmaller
  }

  /// Whether one outcome is to be preferred to another (Deb et al. 2002, definition 1): a feasible one to one that is not, the smaller
  /// violation among those that are not, dominance among feasible ones.
  public static func dominates(_ first: Outcome, _ second: Outcome) -> Bool {
    if first.violation != second.violation { return first.violation < second.violation }
    return dominates(first.objectives, second.objectives)
  }
}
