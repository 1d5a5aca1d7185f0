public import QuickstepNN

/// Quantiles of a beta distribution: dense at both ends for shapes below 1 (Lee et al. 2024, "Beta sampling is all you need").
///
/// Of the noise coordinate, σ = σ_min + F⁻¹(1 − i/(n−1))·(σ_max − σ_min), as diffusers and A1111; or of the trained timesteps,
/// ⌊F⁻¹(1 − i/n)·(N−1)⌉, as the paper and ComfyUI.
public struct Beta: Spacing {
  public static let declaration = MethodDeclaration(
    name: "beta", family: .grid, summary: "Quantiles of a beta distribution; dense at both ends.", points: [.grid],
    parameters: [
      ParameterDeclaration(
        name: "of", summary: "What is distributed: the noise coordinate (diffusers), or the trained timesteps (ComfyUI).",
        domain: .choice(["noise", "time"]), standard: .choice("noise")),
      ParameterDeclaration(name: "alpha", summary: "Shape at the clean end.", domain: .number(0.05...20), standard: .number(0.6)),
      ParameterDeclaration(name: "beta", summary: "Shape at the noisy end.", domain: .number(0.05...20), standard: .number(0.6)),
    ] + rangeOfNoise, exactness: .approximate, reference: "arXiv 2407.12173; diffusers, use_beta_sigmas")

  /// The range and what is told between timesteps: trained timesteps have theirs, and only the end is left to choose.
  private static let rangeOfNoise = SigmaRange.parameters.map { parameter -> ParameterDeclaration in
    guard parameter.name != SpacingParameter.final.name else { return parameter }
    var parameter = parameter
    parameter.condition = ParameterDeclaration.Condition("of", ["noise"])
    return parameter
  }

  /// Name of ComfyUI's node. Its scheduler is called `beta` as well, which is ours for what diffusers and A1111 mean by it.
  public static let aliases = [SpacingAlias("BetaSamplingScheduler", tool: "ComfyUI", parameters: ["of": "time"])]

  let isOfTime: Bool
  let distribution: BetaDistribution
  let range: SigmaRange

  /// Reads `of`, the shapes, the range of noise coordinates and the level at the end.
  public init(_ values: ParameterValues) throws {
    isOfTime = values.choice("of") == "time"
    distribution = BetaDistribution(a: values.number("alpha"), b: values.number("beta"))
    range = SigmaRange(values)
  }

  /// - Throws: ``GridError`` when the schedule cannot carry so many steps, the range is empty, or two quantiles are one timestep.
  public func grid(schedule: any NoiseSchedule, steps: Int) throws -> Grid {
    try check(steps: steps, on: schedule)
    guard isOfTime else {
      let ends = try range.ends(schedule, name: Self.name)
      return try range.grid(schedule, steps: steps, name: Self.name) { fraction in
        fraction == 0 ? ends.max : fraction == 1 ? ends.min : ends.min + distribution.quantile(1 - fraction) * (ends.max - ends.min)
      }
    }
    let table = try TrainedLevels(schedule, name: Self.name)
    let places = (0..<steps).map { index in
      Int((distribution.quantile(1 - Double(index) / Double(steps)) * Double(table.count - 1)).rounded(.toNearestOrEven))
    }
    // ComfyUI leaves repeated ones out and runs fewer steps than were asked for.
    guard Set(places).count == steps else {
      throw GridError("beta grid of \(steps) steps repeats trained timesteps of \(schedule.summary); use fewer steps, or of=noise")
    }
    let end = range.final == .zero ? schedule.clean : try schedule.smallest()
    return try Grid(levels: places.map { try table.level($0) } + [end], spacing: Self.name)
  }
}

/// The levels a schedule was trained on, numbered from the least noise: what spacings of other tools pick from.
struct TrainedLevels {
  let schedule: any NoiseSchedule
  let count: Int

  /// - Throws: ``GridError`` for schedules that were trained on all times.
  init(_ schedule: any NoiseSchedule, name: String) throws {
    self.schedule = schedule
    guard let count = schedule.trainSteps ?? (schedule as? FlowSchedule)?.trainedTimes else {
      throw GridError("\(name) spacing picks from trained levels, of which \(schedule.summary) has no list; use linspace or karras")
    }
    self.count = count
  }

  /// - Parameter index: 0 is the least noise.
  func level(_ index: Int) throws -> NoiseLevel {
    guard let flow = schedule as? FlowSchedule else { return try schedule.level(at: Double(index)) }
    return try flow.level(at: flow.warp(flow.timestepScale * Double(index + 1) / Double(count)))
  }
}
