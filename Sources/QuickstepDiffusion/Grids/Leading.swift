public import QuickstepNN

/// Every ⌊N/n⌋-th trained timestep from 0 up, plus an offset (Lin et al. 2023, table 2, "leading"). The noisiest timesteps are left out.
public struct Leading: Spacing {
  public static let declaration = MethodDeclaration(
    name: "leading", family: .grid, summary: "Every ⌊N/n⌋-th trained timestep counted from the clean end.", points: [.grid],
    needs: ["discrete timesteps"],
    parameters: [
      ParameterDeclaration(
        name: "offset", summary: "Added to every timestep; Stable Diffusion 1 and 2 use 1.", domain: .integer(0...999),
        standard: .integer(0)),
      ParameterDeclaration(
        name: "skip-last", summary: "Space for n+1 steps and leave out the last (DPM schedulers of diffusers).", domain: .flag,
        standard: .flag(false)),
      SpacingParameter.final,
    ], exactness: .approximate, reference: "arXiv 2305.08891, table 2")

  /// ComfyUI's name. Where n does not divide N, ComfyUI takes more steps than were asked for.
  public static let aliases = [SpacingAlias("ddim_uniform", tool: "ComfyUI", parameters: ["offset": "1"])]

  let offset: Int
  let skipsLast: Bool
  let final: FinalLevel

  /// Reads `offset`, `skip-last` and `final`.
  public init(_ values: ParameterValues) throws {
    offset = values.integer("offset") ?? 0
    skipsLast = values.flag("skip-last")
    final = SpacingParameter.final(values)
  }

  /// - Throws: ``GridError`` without discrete timesteps, for too many steps, and for an offset that leads beyond the trained range.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let trained = try discrete(schedule)
    let stride = trained / (skipsLast ? steps + 1 : steps)
    guard stride >= 1 else {
      throw GridError("leading grid of \(steps) steps with skip-last on \(schedule.summary); allowed: 1…\(trained - 1)")
    }
    let indices = skipsLast ? Array(1...steps) : Array(0..<steps)
    let times = indices.reversed().map { Double($0 * stride + offset) }
    guard let first = times.first, first <= schedule.timeRange.upperBound else {
      throw GridError(
        "leading grid of \(steps) steps with offset \(offset) begins at timestep \(times.first ?? 0); "
          + "\(schedule.summary) ends at \(schedule.timeRange.upperBound)")
    }
    let end = final == .zero ? schedule.clean : try schedule.smallest()
    return try Grid(levels: levels(times, schedule) + [end], spacing: Self.name)
  }
}
