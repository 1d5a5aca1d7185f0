import Foundation
public import QuickstepNN

/// arctan(σ) evenly spaced: what makes the upper bound of the divergence between steps smallest for normal data of unit variance (the
/// Align-Your-Steps paper's closed form, as A1111 and ComfyUI use it).
public struct KLOptimal: Spacing {
  public static let declaration = MethodDeclaration(
    name: "kl-optimal", family: .grid, summary: "The arc tangent of the noise coordinate evenly spaced.", points: [.grid],
    parameters: SigmaRange.parameters, exactness: .approximate, reference: "arXiv 2404.14507; A1111, kl_optimal")
  /// A1111 spaces one point more and ends on the last of them: that is `final=smallest` here.
  public static let aliases = [SpacingAlias("kl_optimal", tool: "ComfyUI"), SpacingAlias("KL Optimal", tool: "A1111")]

  let range: SigmaRange

  /// Reads the range of noise coordinates and the level at the end.
  public init(_ values: ParameterValues) throws { range = SigmaRange(values) }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps or the range is empty.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let ends = try range.ends(schedule, name: Self.name)
    return try range.grid(schedule, steps: steps, name: Self.name) { fraction in
      fraction == 0 ? ends.max : fraction == 1 ? ends.min : tan(fraction * atan(ends.min) + (1 - fraction) * atan(ends.max))
    }
  }
}
