public import QuickstepNN

/// Timesteps whose square roots are evenly spaced: dense near clean data (DPM-Solver's `time_quadratic`).
public struct Quadratic: Spacing {
  public static let declaration = MethodDeclaration(
    name: "quadratic", family: .grid, summary: "Square roots of the timesteps evenly spaced; dense near clean data.", points: [.grid],
    needs: ["timesteps that are not negative"], parameters: [SpacingParameter.final], exactness: .approximate,
    reference: "arXiv 2206.00927, section 4.1 and its code's time_quadratic")

  let final: FinalLevel

  /// Reads `final`.
  public init(_ values: ParameterValues) throws { final = SpacingParameter.final(values) }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps or has negative timesteps.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let range = schedule.timeRange
    guard range.lowerBound >= 0 else {
      throw GridError("quadratic spacing needs timesteps of 0 and above; \(schedule.summary) begins at \(range.lowerBound)")
    }
    let points = final == .smallest ? steps + 1 : steps
    let roots = evenly(from: range.upperBound.squareRoot(), to: range.lowerBound.squareRoot(), count: points)
    // Squaring a square root may step over the end of the range by one rounding.
    let times = roots.map { min(max($0 * $0, range.lowerBound), range.upperBound) }
    let levels = try levels(times, schedule)
    return try Grid(levels: final == .smallest ? levels : levels + [schedule.clean], spacing: Self.name)
  }
}
