public import QuickstepNN

/// Levels given one by one: timesteps, such as a search found, or noise coordinates.
public struct Explicit: Spacing {
  public static let declaration = MethodDeclaration(
    name: "explicit", family: .grid, summary: "Levels given one by one, as timesteps or noise coordinates.", points: [.grid],
    parameters: [
      ParameterDeclaration(
        name: "timesteps", summary: "Where the model is evaluated, noisiest first: 999,850,736.", domain: .list(-1e9...1e9),
        standard: .list([])),
      ParameterDeclaration(
        name: "sigmas", summary: "The same as σ/α (t of flow models); a last 0 is the end of the run.", domain: .list(0...1e9),
        standard: .list([])),
      SpacingParameter.final,
    ], exactness: .approximate, reference: "arXiv 2309.10438, section 3.2")

  let timesteps: [Double]
  let sigmas: [Double]
  let final: FinalLevel

  /// Reads `timesteps`, `sigmas` and `final`.
  /// - Throws: `ParameterError` when both lists are given.
  public init(_ values: ParameterValues) throws {
    timesteps = values.list("timesteps")
    let given = values.list("sigmas")
    sigmas = given.last == 0 ? given.dropLast() : given
    final = SpacingParameter.final(values)
    guard timesteps.isEmpty || given.isEmpty else { throw ParameterError("explicit grid: give 'timesteps' or 'sigmas', not both") }
    guard given.isEmpty || !sigmas.isEmpty else { throw ParameterError("explicit grid: 'sigmas' holds nothing but the end") }
    if given.last == 0, final == .smallest { throw ParameterError("explicit grid: 'sigmas' ends at 0, but 'final' is 'smallest'") }
  }

  /// The number of levels that are evaluated.
  public var fixedSteps: Int? { max(timesteps.count, sigmas.count) }

  /// - Throws: ``GridError`` without a list, for another number of steps than it holds, and where it repeats or rises;
  ///   ``ScheduleError`` for levels the schedule does not have.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    let list = timesteps.isEmpty ? sigmas : timesteps
    guard !list.isEmpty else { throw GridError("explicit grid without levels; give 'timesteps' or 'sigmas', noisiest first") }
    guard list.count == steps else {
      throw GridError("explicit grid of \(list.count) levels, but \(steps) steps are asked for; leave the number of steps out")
    }
    for (index, pair) in zip(list, list.dropFirst()).enumerated() where pair.1 >= pair.0 {
      throw GridError(
        "explicit grid: value \(index + 2) (\(pair.1)) \(pair.1 == pair.0 ? "repeats" : "is above") value \(index + 1) (\(pair.0)); "
          + "they must fall strictly")
    }
    let levels = try list.map { timesteps.isEmpty ? try schedule.level(coordinate: $0) : try schedule.level(at: $0) }
    return try Grid(levels: levels + [final == .zero ? schedule.clean : schedule.smallest()], spacing: Self.name)
  }
}
