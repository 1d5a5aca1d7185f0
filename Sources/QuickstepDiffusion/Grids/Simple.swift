public import QuickstepNN

/// Trained levels at ⌊i·N/n⌋ places from the noisy end: ComfyUI's `simple`. Where n divides N it is ``Trailing``.
public struct Simple: Spacing {
  public static let declaration = MethodDeclaration(
    name: "simple", family: .grid, summary: "Every N/n-th trained level from the noisy end, rounded down.", points: [.grid],
    needs: ["a list of trained levels"], parameters: [SpacingParameter.final], exactness: .approximate,
    reference: "ComfyUI, simple_scheduler")

  let final: FinalLevel

  /// Reads `final`.
  public init(_ values: ParameterValues) throws { final = SpacingParameter.final(values) }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps or has no list of trained levels.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    let table = try TrainedLevels(schedule, name: Self.name)
    guard steps <= table.count else {
      throw GridError("simple grid of \(steps) steps on \(schedule.summary); allowed: 1…\(table.count)")
    }
    let stride = Double(table.count) / Double(steps)
    let levels = try (0..<steps).map { try table.level(table.count - 1 - Int(Double($0) * stride)) }
    return try Grid(levels: levels + [final == .zero ? schedule.clean : schedule.smallest()], spacing: Self.name)
  }
}
