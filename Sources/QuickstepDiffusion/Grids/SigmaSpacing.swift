import QuickstepNN

/// What the spacings over the noise coordinate share: the range, the rounding of timesteps, the end.
struct SigmaRange {
  let sigmaMin: Double
  let sigmaMax: Double
  let rounding: TimestepRounding
  let final: FinalLevel

  static let parameters = [
    SpacingParameter.sigmaMin, SpacingParameter.sigmaMax, SpacingParameter.timestep, SpacingParameter.final,
  ]

  init(_ values: ParameterValues) {
    sigmaMin = values.number("sigma-min")
    sigmaMax = values.number("sigma-max")
    rounding = TimestepRounding(values)
    final = SpacingParameter.final(values)
  }

  /// The two ends of the noise coordinate, checked.
  func ends(_ schedule: any NoiseSchedule, name: String) throws -> (max: Double, min: Double) {
    let largest = sigmaMax > 0 ? sigmaMax : try schedule.frame.coordinate(schedule.largest())
    let smallest = sigmaMin > 0 ? sigmaMin : try schedule.frame.coordinate(schedule.smallest())
    guard largest.isFinite else {
      throw GridError("\(name) spacing needs a finite greatest noise; \(schedule.summary) begins at pure noise: set sigma-max")
    }
    guard smallest > 0, smallest < largest else {
      throw GridError("\(name) spacing runs from σ \(largest) to \(smallest); allowed: falling, above 0")
    }
    return (largest, smallest)
  }

  /// - Parameter coordinate: the noise coordinate at fraction 0 (most noise) to 1 (least).
  func grid(_ schedule: any NoiseSchedule, steps: Int, name: String, coordinate: (Double) -> Double) throws -> Grid {
    if rounding != .exact, schedule.trainSteps == nil {
      throw GridError(
        "\(name) spacing with timestep=\(rounding.rawValue) needs trained integer timesteps; "
          + "\(schedule.summary) has none: use timestep=exact")
    }
    let points = final == .smallest ? steps + 1 : steps
    let levels = try evenly(from: 0, to: 1, count: points).map { fraction -> NoiseLevel in
      var level = try schedule.level(coordinate: coordinate(fraction))
      level.timestep = rounding(level.timestep)
      return level
    }
    return try Grid(levels: final == .smallest ? levels : levels + [schedule.clean], spacing: name)
  }
}
