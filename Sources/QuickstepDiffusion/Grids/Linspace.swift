public import QuickstepNN

/// Timesteps evenly spaced over the trained range, both ends included (Lin et al. 2023, table 2, "linspace").
public struct Linspace: Spacing {
  public static let declaration = MethodDeclaration(
    name: "linspace", family: .grid, summary: "Timesteps evenly spaced from the most to the least trained noise.", points: [.grid],
    parameters: [
      ParameterDeclaration(
        name: "round", summary: "Round to trained timesteps (DDIM, DPM schedulers of diffusers).", domain: .flag, standard: .flag(false)),
      ParameterDeclaration(
        name: "skip-last", summary: "Space one point more and leave out the last (DPM schedulers of diffusers).", domain: .flag,
        standard: .flag(false)),
      SpacingParameter.final, SpacingParameter.terminal,
    ], exactness: .approximate, reference: "arXiv 2305.08891, table 2")

  /// ComfyUI's and A1111's names.
  public static let aliases = [
    SpacingAlias("normal", tool: "ComfyUI"), SpacingAlias("Uniform", tool: "A1111"),
    SpacingAlias("sgm_uniform", tool: "ComfyUI", parameters: ["skip-last": "true"]),
    SpacingAlias("SGM Uniform", tool: "A1111", parameters: ["skip-last": "true"]),
  ]

  let rounds: Bool
  let skipsLast: Bool
  let final: FinalLevel
  let terminal: Double

  /// Reads `round`, `skip-last`, `final` and `terminal`.
  public init(_ values: ParameterValues) throws {
    rounds = values.flag("round")
    skipsLast = values.flag("skip-last")
    final = SpacingParameter.final(values)
    terminal = values.number("terminal")
    if terminal > 0, final == .smallest { throw ParameterError("linspace: terminal=\(terminal) has no effect with final=smallest") }
  }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps or is to be rounded to timesteps it does not have.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    if rounds { _ = try discrete(schedule) }
    let range = schedule.timeRange
    // Ending on the least trained noise makes that level the last of the spacing itself, so that no step is empty.
    let points = skipsLast || final == .smallest ? steps + 1 : steps
    var times = evenly(from: range.lowerBound, to: range.upperBound, count: points)
    // A single step starts at the most noise; numpy would give the least, from which there is nothing to denoise.
    if points == 1 { times = [range.upperBound] }
    if rounds { times = times.map { $0.rounded(.toNearestOrEven) } }
    let levels = try levels(times.reversed(), schedule)
    if final == .smallest { return try Grid(levels: levels, spacing: Self.name) }
    let evaluated = try stretched(Array(levels.prefix(steps)), to: terminal, schedule, name: Self.name)
    return try Grid(levels: evaluated + [schedule.clean], spacing: Self.name)
  }
}
