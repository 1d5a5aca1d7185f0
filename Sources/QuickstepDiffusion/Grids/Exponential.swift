import Foundation
public import QuickstepNN

/// The noise coordinate falls by a constant factor (k-diffusion's exponential schedule), or by factors that change with a power of the way
/// (its polyexponential one).
public struct Exponential: Spacing {
  public static let declaration = MethodDeclaration(
    name: "exponential", family: .grid, summary: "The noise coordinate falls by a constant factor.", points: [.grid],
    parameters: [
      ParameterDeclaration(
        name: "rho", summary: "Power of the way: 1 is exponential, more puts steps near clean data.", domain: .number(0.1...10),
        standard: .number(1))
    ] + SigmaRange.parameters, exactness: .approximate, reference: "k-diffusion, get_sigmas_exponential and get_sigmas_polyexponential")
  /// Names of k-diffusion and diffusers (`use_lu_lambdas`).
  public static let aliases = [
    SpacingAlias("polyexponential", tool: "k-diffusion"), SpacingAlias("lu", tool: "diffusers", parameters: ["timestep": "round"]),
  ]

  let rho: Double
  let range: SigmaRange

  /// Reads `rho`, the range of noise coordinates and the level at the end.
  public init(_ values: ParameterValues) throws {
    rho = values.number("rho")
    range = SigmaRange(values)
  }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps or the range is empty.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let ends = try range.ends(schedule, name: Self.name)
    let (high, low) = (log(ends.max), log(ends.min))
    return try range.grid(schedule, steps: steps, name: Self.name) { fraction in
      if fraction == 0 || fraction == 1 { return fraction == 0 ? ends.max : ends.min }
      return rho == 1 ? exp(high + fraction * (low - high)) : exp(low + pow(1 - fraction, rho) * (high - low))
    }
  }
}
