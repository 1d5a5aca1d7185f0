import Foundation
public import QuickstepNN

/// The noise coordinate falls by a constant factor (k-diffusion's exponential schedule).
public struct Exponential: Spacing {
  public static let declaration = MethodDeclaration(
    name: "exponential", family: .grid, summary: "The noise coordinate falls by a constant factor.", points: [.grid],
    parameters: SigmaRange.parameters, exactness: .approximate, reference: "k-diffusion, get_sigmas_exponential")

  let range: SigmaRange

  /// Reads the range of noise coordinates and the level at the end.
  public init(_ values: ParameterValues) throws { range = SigmaRange(values) }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps or the range is empty.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let ends = try range.ends(schedule, name: Self.name)
    let (high, low) = (log(ends.max), log(ends.min))
    return try range.grid(schedule, steps: steps, name: Self.name) { fraction in
      fraction == 0 ? ends.max : fraction == 1 ? ends.min : exp(high + fraction * (low - high))
    }
  }
}
