public import QuickstepNN

/// Timesteps at N, N−N/n, N−2N/n, … minus one: begins at the most noise, never evaluates at the least (Lin et al. 2023, table 2,
/// "trailing").
/// For flow models the same rule without rounding: t = 1, 1−1/n, …, 1/n.
public struct Trailing: Spacing {
  public static let declaration = MethodDeclaration(
    name: "trailing", family: .grid, summary: "Every N/n-th trained timestep counted from the noisy end.", points: [.grid],
    parameters: [SpacingParameter.final, SpacingParameter.terminal], exactness: .approximate, reference: "arXiv 2305.08891, table 2")
  let final: FinalLevel
  let terminal: Double

  /// Reads `final` and `terminal`.
  public init(_ values: ParameterValues) throws {
    final = SpacingParameter.final(values)
    terminal = values.number("terminal")
  }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let end = final == .zero ? schedule.clean : try schedule.smallest()
    let evaluated = try stretched(levels(times(schedule, steps), schedule), to: terminal, schedule, name: Self.name)
    return try Grid(levels: evaluated + [end], spacing: Self.name)
  }

  private func times(_ schedule: any NoiseSchedule, _ steps: Int) -> [Double] {
    let end = schedule.timeRange.upperBound
    guard let trained = schedule.trainSteps else {
      // Fractions of the way from the most noise to none; for a flow model the lower end of that way is t = 0.
      let start = schedule.frame == .flow ? 0 : schedule.timeRange.lowerBound
      return (0..<steps).map { end - Double($0) * ((end - start) / Double(steps)) }
    }
    // numpy's arange computes start + i·((start + step) − start); ties in the rounding depend on it.
    let total = Double(trained)
    let stride = (total - total / Double(steps)) - total
    return (0..<steps).map { (total + Double($0) * stride).rounded(.toNearestOrEven) - 1 }
  }
}
