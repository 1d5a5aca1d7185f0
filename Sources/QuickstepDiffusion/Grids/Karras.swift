import Foundation
public import QuickstepNN

/// σ^{1/ρ} evenly spaced (Karras et al. 2022, equation 5).
public struct Karras: Spacing {
  public static let declaration = MethodDeclaration(
    name: "karras", family: .grid, summary: "The ρ-th roots of σ/α evenly spaced; dense near clean data.", points: [.grid],
    parameters: [
      ParameterDeclaration(
        name: "rho", summary: "Greater puts more steps near clean data; 7 in the paper.", domain: .number(1...100), standard: .number(7))
    ] + SigmaRange.parameters, exactness: .approximate, reference: "arXiv 2206.00364, equation 5")

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
    let (high, low) = (pow(ends.max, 1 / rho), pow(ends.min, 1 / rho))
    return try range.grid(schedule, steps: steps, name: Self.name) { fraction in
      // The ends are taken as they are: a power of a root need not give them back.
      fraction == 0 ? ends.max : fraction == 1 ? ends.min : pow(high + fraction * (low - high), rho)
    }
  }
}
