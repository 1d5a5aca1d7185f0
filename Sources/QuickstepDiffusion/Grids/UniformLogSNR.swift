import Foundation
public import QuickstepNN

/// λ = log(α/σ) evenly spaced (DPM-Solver's `logSNR`). On VP and EDM schedules the same as ``Exponential``; on flow models it is not,
/// because their noise coordinate is t and not σ/α.
public struct UniformLogSNR: Spacing {
  public static let declaration = MethodDeclaration(
    name: "log-snr", family: .grid, summary: "Half log signal-to-noise ratios evenly spaced.", points: [.grid],
    needs: ["a schedule that does not begin at pure noise, or a lambda-min"],
    parameters: [
      ParameterDeclaration(
        name: "lambda-min", summary: "λ of the first level where the schedule begins lower (or at pure noise).",
        domain: .number(-100...100),
        standard: .number(-100)),
      SpacingParameter.timestep, SpacingParameter.final,
    ], exactness: .approximate, reference: "arXiv 2206.00927, section 4.1")

  let lambdaMin: Double
  let rounding: TimestepRounding
  let final: FinalLevel

  /// Reads `lambda-min`, `timestep` and `final`.
  public init(_ values: ParameterValues) throws {
    lambdaMin = values.number("lambda-min")
    rounding = TimestepRounding(values)
    final = SpacingParameter.final(values)
  }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps, begins at pure noise without a `lambda-min`, or is to be rounded
  ///   to timesteps it does not have.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let range = try schedule.lambdaRange()
    let start = max(range.lowerBound, lambdaMin)
    guard start > -100, start < range.upperBound else {
      throw GridError(
        "log-snr spacing from λ \(start) to \(range.upperBound) on \(schedule.summary); "
          + "allowed: rising, start above −100 (set lambda-min)")
    }
    if rounding != .exact { _ = try discrete(schedule) }
    let points = final == .smallest ? steps + 1 : steps
    let levels = try evenly(from: start, to: range.upperBound, count: points).map { lambda -> NoiseLevel in
      var level = try schedule.level(lambda: lambda)
      level.timestep = rounding(level.timestep)
      return level
    }
    return try Grid(levels: final == .smallest ? levels : levels + [schedule.clean], spacing: Self.name)
  }
}
