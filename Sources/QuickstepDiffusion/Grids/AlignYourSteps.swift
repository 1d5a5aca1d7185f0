import Foundation
public import QuickstepNN

/// Noise levels found by optimisation for three families of models, log-linearly interpolated to other numbers of steps (Sabour et al.
/// 2024, "Align your steps").
public struct AlignYourSteps: Spacing {
  public static let declaration = MethodDeclaration(
    name: "ays", family: .grid, summary: "Optimised noise levels of Align Your Steps for SD 1.5, SDXL and SVD.", points: [.grid],
    needs: ["a variance-preserving or EDM schedule"],
    parameters: [
      ParameterDeclaration(
        name: "model", summary: "The family whose table is taken.", domain: .choice(["sd15", "sdxl", "svd"]), standard: .choice("sd15")),
      SpacingParameter.timestep, SpacingParameter.final,
    ], exactness: .approximate, reference: "arXiv 2404.14507 and its project page")
  /// A1111's and ComfyUI's names.
  public static let aliases = [
    SpacingAlias("Align Your Steps", tool: "A1111"), SpacingAlias("align_your_steps", tool: "A1111"),
    SpacingAlias("AlignYourStepsScheduler", tool: "ComfyUI"),
  ]

  /// σ/α of ten steps, as published.
  private static let tables = [
    "sd15": [
      14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904, 0.6523686016, 0.3977456272,
      0.1515232662, 0.0291671582,
    ],
    "sdxl": [
      14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289, 0.3798540708, 0.2332364134,
      0.1114188177, 0.0291671582,
    ],
    "svd": [700, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002],
  ]

  let table: [Double]
  let rounding: TimestepRounding
  let final: FinalLevel

  /// Reads `model`, `timestep` and `final`, which is the table's last level where it is `smallest`.
  public init(_ values: ParameterValues) throws {
    table = Self.tables[values.choice("model") ?? ""] ?? []
    rounding = TimestepRounding(values)
    final = SpacingParameter.final(values)
  }

  /// - Throws: ``GridError`` on flow schedules, for which there is no table.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    guard schedule.frame == .sigma else {
      throw GridError("ays spacing has no table for \(schedule.summary); use linspace, trailing or beta")
    }
    if rounding != .exact { _ = try discrete(schedule) }
    let levels = try (0...steps).map { index -> NoiseLevel in
      if index == steps, final == .zero { return schedule.clean }
      var level = try schedule.level(lambda: -logSigma(Double(index) / Double(steps)))
      level.timestep = rounding(level.timestep)
      return level
    }
    return try Grid(levels: levels, spacing: Self.name)
  }

  /// The table's logarithm at 0 (most noise) to 1.
  private func logSigma(_ fraction: Double) -> Double {
    let place = fraction * Double(table.count - 1)
    let index = min(Int(place), table.count - 2)
    let (high, low) = (log(table[index]), log(table[index + 1]))
    return high + (place - Double(index)) * (low - high)
  }
}
