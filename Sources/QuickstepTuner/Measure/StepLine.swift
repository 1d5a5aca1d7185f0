import QuickstepEvaluation

/// The exact run with fewer steps as a line of steps over time, which a way to sample has to lie above.
///
/// Times are shares of the exact run's, which took turns with whatever was measured. The line ends at the exact run itself: all steps, in the time 1.
package struct StepLine: Sendable, Hashable {
  /// Steps of the exact run, at least 1.
  package let full: Int
  /// Times by steps, the exact run's included.
  package private(set) var times: [Int: Double]

  /// The line with nothing on it but the exact run.
  package init(full: Int) { (self.full, times) = (full, [full: 1]) }

  /// Puts a measured run on the line. Times that are not finite are passed over.
  package mutating func note(steps: Int, time: Double) { if time.isFinite { times[steps] = time } }

  /// The runs on the line on both sides of a time: the most steps that take no longer, and the fewest that take no less.
  package func rivals(of time: Double) -> (faster: Int?, slower: Int?) {
    (times.filter { $0.value <= time }.keys.max(), times.filter { $0.value >= time }.keys.min())
  }

  /// What to measure next, so that no step is left out between both rivals: the steps beside the place where the line, drawn straight, has this
  /// time. A run may have costs of its own beside its steps, so that the place is not known before.
  package func missing(for time: Double) -> [Int] {
    let (faster, slower) = rivals(of: time)
    let low = faster ?? 0
    guard let slower, slower - low > 1 else { return [] }
    // Below all that was measured the line goes on as between its last two places; nothing but the exact run says nothing of costs beside steps.
    let (near, far) = low > 0 ? (low, slower) : slower < full ? (slower, full) : (0, full)
    let (first, last) = (times[near] ?? 0, times[far] ?? 1)
    let place = last > first ? Double(near) + Double(far - near) * (time - first) / (last - first) : Double(low)
    return Set([place.rounded(.down), place.rounded(.up)].map { Int(min(Double(slower - 1), max(Double(low + 1), $0))) }).sorted()
  }

  /// Whether a way to sample is worth more than fewer steps.
  package enum Verdict: String, Sendable {
    /// Nearer to the exact run than fewer steps that took no less time.
    case better
    /// Less near to it than fewer steps that took no more time.
    case worse
    /// Neither can be told from chance.
    case even
  }

  /// Compares with the rival on either side, so that nobody is favoured by the part of a step between them. What cannot be told from chance, by the
  /// 95 % interval of the paired difference, counts for nobody.
  /// - Parameters:
  ///   - own: likeness to the exact run, picture by picture; more is nearer.
  ///   - faster: that of the rival that took no longer.
  ///   - slower: that of the rival that took no less time.
  /// - Returns: `nil` for a single picture, and without rivals.
  package static func verdict(_ own: [Double], faster: [Double]?, slower: [Double]?) -> Verdict? {
    guard own.count > 1, faster != nil || slower != nil else { return nil }
    func loss(to other: [Double]?) -> Estimate? {
      other.flatMap { try? PairedDifference(candidate: own, baseline: $0, direction: .higherIsBetter).estimate() }
    }
    let isBetter = loss(to: slower).map { $0.upper < 0 } ?? false
    let isWorse = loss(to: faster).map { $0.lower > 0 } ?? false
    return isBetter == isWorse ? .even : isBetter ? .better : .worse
  }
}
