import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

/// What was found out about points of a front on pictures that the search had not seen.
struct FrontChecks {
  /// The exact run, as it was measured with the first points.
  private(set) var exact: TuningResult.Point?
  /// Measured points with their rivals, the fastest by the search's times first.
  private(set) var points: [(point: TuningResult.Point, rival: TuningResult.Point?)] = []
  private let tuner: Tuner
  private let exactSeconds: Double
  private let progress: @Sendable (TuningProgress) -> Void
  private var outcomes: [SamplingSettings: [Safeguard.Outcome]] = [:]
  private var exactEvidence: [Safeguard.Evidence] = []

  init(_ tuner: Tuner, exactSeconds: Double, _ progress: @escaping @Sendable (TuningProgress) -> Void) {
    (self.tuner, self.exactSeconds, self.progress) = (tuner, exactSeconds, progress)
  }

  // Times and likeness

  /// Makes the held-out pictures in all these ways, the exact one and that of fewer steps at equal time, picture by picture in turn.
  /// - Throws: `GenerationError` where the exact run fails, `CancellationError`; a way that fails is left out.
  mutating func measure(_ entries: [TuningResult.Tried]) throws {
    guard !entries.isEmpty || exact == nil else { return }
    let request = tuner.settings.request(tuner.settings.heldOut, firstSeed: tuner.settings.seed &+ TuningSettings.heldOutSeeds)
    let steps = request.steps ?? tuner.model.defaults.steps
    let rivalSteps = entries.map { rival(of: $0, steps) }
    let fewer = Set(rivalSteps.compactMap { $0 }).sorted()
    let told = progress
    let runs = try PairedRuns(
      [PairedRuns.Way(label: "exact", request: request)]
        + entries.map { .init(label: $0.settings.title, settings: $0.settings, from: request, model: tuner.model) }
        + fewer.map { .init(label: "\($0) steps", settings: Self.plain($0), from: request, model: tuner.model) }, model: tuner.model
    ) { done, _, label in told(.check(done, label)) }
    let own = runs.ways[0]
    if let problem = own.problem { throw GenerationError(problem) }
    let reference = try withTensorErrors { Tensor.stack(own.pictures) }
    if exact == nil { exact = try point(own, Self.exactSettings(own), own, reference, isRival: false) }
    let rivals = Dictionary(uniqueKeysWithValues: zip(fewer, runs.ways.dropFirst(1 + entries.count)))
    for (index, entry) in entries.enumerated() {
      guard let found = try point(runs.ways[index + 1], entry.settings, own, reference, isRival: false) else { continue }
      let beside = try rivalSteps[index].flatMap { count in
        try rivals[count].flatMap { try point($0, Self.plain(count), own, reference, isRival: true) }
      }
      points.append((found, beside))
    }
    points.sort { $0.point.seconds.median < $1.point.seconds.median }
  }

  /// Steps of the exact run that take about as long; fewer steps alone are no rival of themselves.
  private func rival(of entry: TuningResult.Tried, _ steps: Int) -> Int? {
    guard entry.settings.singleName != "" else { return nil }
    let count = max(1, Int((Double(steps) * entry.seconds / exactSeconds).rounded()))
    return count < steps ? count : nil
  }

  private static func plain(_ steps: Int) -> SamplingSettings {
    var settings = SamplingSettings()
    settings.steps = steps
    return settings
  }

  private static func exactSettings(_ way: PairedRuns.Way) -> SamplingSettings {
    var settings = plain(0)
    settings.steps = way.request.steps
    settings.solver = way.request.solver.map { MethodChoice($0, parameters: way.request.solverParameters) }
    settings.grid = way.request.spacing.map { MethodChoice($0, parameters: way.request.spacingParameters) }
    return settings
  }

  private func point(
    _ way: PairedRuns.Way, _ settings: SamplingSettings, _ exact: PairedRuns.Way, _ reference: Tensor, isRival: Bool
  ) throws -> TuningResult.Point? {
    guard way.problem == nil, way.pictures.count == exact.pictures.count else { return nil }
    let pictures = try withTensorErrors { Tensor.stack(way.pictures) }
    return TuningResult.Point(
      settings: settings, way: way, seconds: Spread(way.seconds), speedUp: Spread(zip(exact.seconds, way.seconds).map { $0 / $1 }),
      quality: try tuner.measures.map { ($0.name, try Bootstrap().mean($0.figures(pictures, reference))) }, isRival: isRival,
      kept: outcomes[settings] ?? [])
  }

  // Figures to be kept

  /// Whether a way keeps every figure; `nil` where it was not looked at.
  func keeps(_ settings: SamplingSettings) -> Bool? { outcomes[settings].map { $0.allSatisfy(\.isKept) } }

  /// Of the ways that do not keep every figure the one that loses least, in words.
  var nearestKept: String? {
    let worst = outcomes.compactMap { settings, found in
      found.filter { !$0.isKept }.max { $0.loss / max($0.margin, 1e-12) < $1.loss / max($1.margin, 1e-12) }.map { (settings, $0) }
    }
    return worst.min { ($0.1.loss / max($0.1.margin, 1e-12), "\($0.0)") < ($1.1.loss / max($1.1.margin, 1e-12), "\($1.0)") }.map {
      "\($0.0.title) with \($0.1.metric) \(Recipe.digits($0.1.value, 3)), the exact run has \(Recipe.digits($0.1.exact, 3))"
    }
  }

  /// Looks at the figures of one way. Pictures of accelerated ways are made one by one, as in use: decisions of some methods hold for a whole batch.
  /// - Returns: whether all are kept.
  @discardableResult
  mutating func judge(_ settings: SamplingSettings) throws -> Bool {
    if let known = keeps(settings) { return known }
    if exactEvidence.isEmpty { exactEvidence = try evidence(SamplingSettings(), label: "exact run") }
    let own = try evidence(settings, label: settings.title)
    let found = try tuner.settings.safeguards.indices.map { try tuner.settings.safeguards[$0].outcome(own[$0], exact: exactEvidence[$0]) }
    outcomes[settings] = found
    for index in points.indices {
      if points[index].point.settings == settings { points[index].point.kept = found }
      if points[index].rival?.settings == settings { points[index].rival?.kept = found }
    }
    return found.allSatisfy(\.isKept)
  }

  private func evidence(_ settings: SamplingSettings, label: String) throws -> [Safeguard.Evidence] {
    let prompts = tuner.settings.safeguardPrompts
    let request = settings.applied(
      to: tuner.settings.request(prompts, firstSeed: tuner.settings.seed &+ TuningSettings.safeguardSeeds))
    let companions = try ImagePipeline.companions(of: request, like: tuner.model)
    let pipeline = ImagePipeline(tuner.model, companions: companions)
    var pictures: [Tensor] = []
    let batch = settings.accelerations.isEmpty ? 8 : 1
    for start in stride(from: 0, to: prompts.count, by: batch) {
      try Task.checkCancellation()
      progress(.check(Double(start) / Double(prompts.count), "figures of \(label)"))
      let range = start..<min(start + batch, prompts.count)
      var part = request
      (part.prompts, part.seeds, part.batch) = (Array(prompts[range]), Array(request.seeds[range]), batch)
      pictures += try pipeline.generate(part).images.map(\.pixels)
    }
    let made = pictures
    let all = try withTensorErrors { Tensor.stack(made) }
    return try tuner.settings.safeguards.map { try $0.evidence(all, prompts: prompts) }
  }

  /// Halves a front for its fastest point that keeps every figure, taking nearer points for safer ones, then tries the faster neighbours, since
  /// that need not be so.
  mutating func findKept(in front: [TuningResult.Tried]) throws {
    var (low, high) = (0, front.count)
    while low < high {
      let middle = (low + high) / 2
      if try judge(front[middle].settings) { high = middle } else { low = middle + 1 }
    }
    for index in [high - 1, high - 2] where front.indices.contains(index) { try judge(front[index].settings) }
  }
}
