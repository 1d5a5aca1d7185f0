public import QuickstepNN

/// Timesteps of the schedule that a consistency model was distilled on: every ⌊N/M⌋-th one, of which the run takes evenly spaced ones from
/// the noisy end (diffusers' LCM and TCD schedulers).
public struct LCMSubset: Spacing {
  public static let declaration = MethodDeclaration(
    name: "lcm", family: .grid, summary: "An even choice of the timesteps a consistency model was distilled on.", points: [.grid],
    needs: ["discrete timesteps"],
    parameters: [
      ParameterDeclaration(
        name: "original-steps", summary: "Number M of timesteps the model was distilled on.", domain: .integer(1...1000),
        standard: .integer(50)),
      SpacingParameter.final,
    ], exactness: .approximate, reference: "arXiv 2310.04378, section 4.3, and diffusers' LCMScheduler")

  let originalSteps: Int
  let final: FinalLevel

  /// Reads `original-steps` and `final`.
  public init(_ values: ParameterValues) throws {
    originalSteps = values.integer("original-steps") ?? 50
    final = SpacingParameter.final(values)
  }

  /// - Throws: ``GridError`` without discrete timesteps, and for more steps than the model was distilled on.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let trained = try discrete(schedule)
    guard originalSteps <= trained, steps <= originalSteps else {
      throw GridError(
        "lcm grid of \(steps) steps of \(originalSteps) original ones on \(schedule.summary); "
          + "allowed: steps ≤ original-steps ≤ \(trained)")
    }
    let stride = trained / originalSteps
    let times = (0..<steps).map { index in
      let place = (Double(index) * (Double(originalSteps) / Double(steps))).rounded(.down)
      return Double((originalSteps - Int(place)) * stride - 1)
    }
    let end = final == .zero ? schedule.clean : try schedule.smallest()
    return try Grid(levels: levels(times, schedule) + [end], spacing: Self.name)
  }
}
