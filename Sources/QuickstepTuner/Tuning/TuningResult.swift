public import QuickstepEvaluation
public import QuickstepPipelines

/// What tuning came to.
public struct TuningResult: Sendable {
  /// A way to sample, as it was measured on prompts and seeds that the search had not seen.
  public struct Point: Sendable {
    /// The way; for the exact run, itself.
    public var settings: SamplingSettings
    /// Pictures and times.
    public var way: PairedRuns.Way
    /// Seconds per picture.
    public var seconds: Spread
    /// The exact run's time by this one's, picture by picture.
    public var speedUp: Spread
    /// By metric: mean over the pictures and its interval.
    public var quality: [(metric: String, estimate: Estimate)]
    /// Whether it is the exact run with fewer steps.
    public var isRival: Bool
    /// Of the figures that have to be kept; empty where they were not looked at.
    public var kept: [Safeguard.Outcome] = []
  }

  /// A way that the search tried.
  public struct Tried: Sendable {
    /// The way.
    public var settings: SamplingSettings
    /// Predicted seconds per picture, and loss, on the search's pictures.
    public var seconds: Double, loss: Double
  }

  /// Name and checksum of the model, of the companions that were offered.
  public var model: Recipe.Model, companions: [Recipe.Model]
  /// What the loss is made from.
  public var measure: QualityMeasure
  /// The exact run.
  public var exact: Point
  /// Points of the front, the fastest first.
  public var front: [Point]
  /// For each point of the front the exact run with fewer steps that takes about as long; `nil` where that has no fewer steps.
  public var rivals: [Point?]
  /// What the search tried and could be done, in order.
  public var tried: [Tried]
  /// Predicted seconds of the exact run.
  public var exactSeconds: Double
  /// Index in ``front`` of what reaches the target; `nil` where nothing does.
  public var chosen: Int?
  /// What was asked for.
  public var target: TuningTarget
  /// Where nothing reaches the target: the nearest that was reached, in words.
  public var nearest: String?
  /// Trials, those of earlier sittings included, and those alone.
  public var trials: Int, resumed: Int
  /// Why the search ended.
  public var stop: SearchReport.Stop
  /// Share of the area up to the exact run's time and a worst loss (0.3 of figures up to 1, else that of the fewest steps) that is dominated: by
  /// everything tried, by the best single method, by fewer steps.
  public var volumes: Volumes

  /// Dominated shares; larger is better.
  public struct Volumes: Sendable, Hashable {
    /// Everything tried.
    public var joint: Double
    /// Of all single methods the best, and its name.
    public var single: Double, singleName: String
    /// The exact run with fewer steps.
    public var fewerSteps: Double
  }
}

extension TuningResult {
  /// Names of the figures that had to be kept, where some were looked at.
  public var kept: [String] { front.lazy.map(\.kept).first { !$0.isEmpty }?.map(\.metric) ?? [] }
}

extension SamplingSettings {
  /// What it changes besides the number of steps, where that is one thing: the solver, the grid, an acceleration or the guided part. An empty
  /// name for fewer steps alone, `nil` for combinations.
  var singleName: String? {
    let names =
      [solver?.name, grid?.name, start?.name, guidanceInterval.map { _ in "guidance interval" }].compactMap { $0 }
      + accelerations.map(\.name)
    return names.count > 1 ? nil : names.first ?? ""
  }
}

extension TuningResult {
  /// Ways that change one thing, by its name, in the search's figures.
  public var singles: [String: [Tried]] {
    Dictionary(grouping: tried.compactMap { entry in entry.settings.singleName.map { ($0, entry) } }, by: \.0).mapValues { $0.map(\.1) }
  }

  /// Of these the ones that no other one dominates, the fastest first; of equal ones the first that was tried.
  public static func front(_ tried: [Tried]) -> [Tried] {
    // By time and then by loss: a way belongs to the front where it is nearer than all faster ones.
    let sorted = tried.enumerated().sorted {
      ($0.element.seconds, $0.element.loss, $0.offset) < ($1.element.seconds, $1.element.loss, $1.offset)
    }
    return sorted.reduce(into: []) { front, entry in
      if front.last.map({ entry.element.loss < $0.loss }) ?? true { front.append(entry.element) }
    }
  }

  /// Names of single methods, the one first that with fewer steps covers most.
  var bestSingles: [String] { FrontArea(tried, measure: measure, exactSeconds: exactSeconds).singles(tried).map(\.name) }

  /// The same with the search's predicted times brought to the exact run's measured one: the machine need not have been as fast when its parts
  /// were timed as it was while checking.
  var inMeasuredTime: TuningResult {
    guard exact.seconds.median > 0, exactSeconds > 0 else { return self }
    let scale = exact.seconds.median / exactSeconds
    var scaled = self
    scaled.exactSeconds *= scale
    for index in scaled.tried.indices { scaled.tried[index].seconds *= scale }
    return scaled
  }
}
