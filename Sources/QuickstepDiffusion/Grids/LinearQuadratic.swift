public import QuickstepNN

/// First small even steps at the noisy end, then a parabola to clean data that begins with their slope (Genmo's Mochi, LTX-Video).
///
/// With n steps, m = ⌊n/2⌋ of them even and the threshold θ: τ = τ_max·(1 − u), u_i = θ·i/m for i < m, then u_i = a·i² + b·i + a·m² with
/// a = (m − θn)/(m(n−m)²), b = θ/m − 2(m − θn)/(n−m)².
public struct LinearQuadratic: Spacing {
  public static let declaration = MethodDeclaration(
    name: "linear-quadratic", family: .grid, summary: "Small even steps at the noisy end, then a parabola to clean data.",
    points: [.grid],
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "Share of the way that the even steps go.", domain: .number(0.0001...0.5), standard: .number(0.025)),
      SpacingParameter.sigmaMax, SpacingParameter.timestep, SpacingParameter.final,
    ], exactness: .approximate, reference: "Mochi 1's inference code; ComfyUI, linear_quadratic")
  /// ComfyUI's name.
  public static let aliases = [SpacingAlias("linear_quadratic", tool: "ComfyUI")]

  let threshold: Double
  let sigmaMax: Double
  let rounding: TimestepRounding
  let final: FinalLevel

  /// Reads `threshold`, `sigma-max`, `timestep` and `final`.
  public init(_ values: ParameterValues) throws {
    threshold = values.number("threshold")
    sigmaMax = values.number("sigma-max")
    rounding = TimestepRounding(values)
    final = SpacingParameter.final(values)
  }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps, begins at pure noise in the sigma frame, or has no whole timesteps
  ///   to round to.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    if rounding != .exact { _ = try discrete(schedule) }
    let largest = sigmaMax > 0 ? sigmaMax : try schedule.frame.coordinate(schedule.largest())
    guard largest.isFinite else {
      throw GridError("linear-quadratic spacing needs a finite greatest noise; \(schedule.summary) begins at pure noise: set sigma-max")
    }
    let levels = try (0..<steps).map { index -> NoiseLevel in
      var level = try schedule.level(coordinate: largest * (1 - way(index, of: steps)))
      level.timestep = rounding(level.timestep)
      return level
    }
    return try Grid(levels: levels + [final == .zero ? schedule.clean : schedule.smallest()], spacing: Self.name)
  }

  /// u_i: the share of the way that is done after i of n steps.
  private func way(_ index: Int, of steps: Int) -> Double {
    guard index > 0 else { return 0 }
    let (i, n, m) = (Double(index), Double(steps), Double(steps / 2))
    if i < m { return i * threshold / m }
    let gap = m - threshold * n
    let a = gap / (m * (n - m) * (n - m))
    return a * i * i + (threshold / m - 2 * gap / ((n - m) * (n - m))) * i + a * m * m
  }
}
