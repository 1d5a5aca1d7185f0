import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

extension Tuner {
  /// Makes the points of the front again, in turn with the exact run and with runs of fewer steps, on what the search had not seen.
  func checked(
    _ report: SearchReport, _ problem: TuningProblem, _ companions: [LoadedModel],
    _ progress: @escaping @Sendable (TuningProgress) -> Void
  ) throws -> TuningResult {
    let tried = report.trials.compactMap { trial -> TuningResult.Tried? in
      guard trial.isFeasible, trial.fidelity == 1, let outcome = trial.outcome else { return nil }
      return .init(settings: problem.joint.settings(trial.candidate), seconds: outcome.objectives[0], loss: outcome.objectives[1])
    }
    let exactSeconds = tried.first { $0.settings.singleName == "" && $0.loss == 0 }?.seconds ?? problem.exactSeconds
    let chosen = selection(
      TuningResult.front(tried).filter { $0.seconds < exactSeconds && $0.loss <= TuningResult.worstLoss }, exactSeconds)
    let request = settings.request(settings.heldOut, firstSeed: settings.seed &+ TuningSettings.heldOutSeeds)
    let steps = request.steps ?? model.defaults.steps
    let rivalSteps = chosen.map { entry -> Int? in
      // Fewer steps alone are no rival of themselves.
      guard entry.settings.singleName != "" else { return nil }
      let count = Int((Double(steps) * entry.seconds / exactSeconds).rounded())
      return (1..<steps).contains(max(1, count)) ? max(1, count) : nil
    }
    var ways = [PairedRuns.Way(label: "exact", request: request)]
    ways += chosen.map { .init(label: $0.settings.description, settings: $0.settings, from: request, model: model) }
    let fewer = Set(rivalSteps.compactMap { $0 }).sorted()
    ways += fewer.map { count in
      var settings = SamplingSettings()
      settings.steps = count
      return .init(label: "\(count) steps", settings: settings, from: request, model: model)
    }
    let runs = try PairedRuns(ways, model: model) { done, _, label in progress(.check(done, label)) }
    return try result(report, tried, exactSeconds, chosen, zip(fewer, runs.ways.dropFirst(1 + chosen.count)), rivalSteps, runs, companions)
  }

  private func result(
    _ report: SearchReport, _ tried: [TuningResult.Tried], _ exactSeconds: Double, _ chosen: [TuningResult.Tried],
    _ fewer: Zip2Sequence<[Int], ArraySlice<PairedRuns.Way>>, _ rivalSteps: [Int?], _ runs: PairedRuns, _ companions: [LoadedModel]
  ) throws -> TuningResult {
    let exactWay = runs.ways[0]
    if let problem = exactWay.problem { throw GenerationError(problem) }
    let reference = try withTensorErrors { Tensor.stack(exactWay.pictures) }
    func point(_ way: PairedRuns.Way, _ settings: SamplingSettings, isRival: Bool) throws -> TuningResult.Point? {
      guard way.problem == nil, way.pictures.count == exactWay.pictures.count else { return nil }
      let pictures = try withTensorErrors { Tensor.stack(way.pictures) }
      return TuningResult.Point(
        settings: settings, way: way, seconds: Spread(way.seconds),
        speedUp: Spread(zip(exactWay.seconds, way.seconds).map { $0 / $1 }),
        quality: try measures.map { ($0.name, try Bootstrap().mean($0.figures(pictures, reference))) }, isRival: isRival)
    }
    var exact = SamplingSettings()
    exact.steps = exactWay.request.steps
    exact.solver = exactWay.request.solver.map { MethodChoice($0, parameters: exactWay.request.solverParameters) }
    exact.grid = exactWay.request.spacing.map { MethodChoice($0, parameters: exactWay.request.spacingParameters) }
    let rivals = Dictionary(uniqueKeysWithValues: fewer.map { ($0, $1) })
    var (front, beside): ([TuningResult.Point], [TuningResult.Point?]) = ([], [])
    for (index, entry) in chosen.enumerated() {
      guard let found = try point(runs.ways[index + 1], entry.settings, isRival: false) else { continue }
      front.append(found)
      var plain = SamplingSettings()
      plain.steps = rivalSteps[index]
      beside.append(try rivalSteps[index].flatMap { rivals[$0] }.flatMap { try point($0, plain, isRival: true) })
    }
    guard let exactPoint = try point(exactWay, exact, isRival: false) else { throw GenerationError("the exact run made no pictures") }
    let (index, nearest) = judge(front)
    return TuningResult(
      model: .init(name: model.name, fingerprint: model.fingerprint),
      companions: companions.map { .init(name: $0.name, fingerprint: $0.fingerprint) }, measure: measures[0], exact: exactPoint,
      front: front, rivals: beside, tried: tried, exactSeconds: exactSeconds, chosen: index, target: settings.target, nearest: nearest,
      trials: report.trials.count, resumed: report.resumed, stop: report.stop,
      volumes: TuningResult.volumes(tried, exactSeconds: exactSeconds))
  }

  /// Points of a front to look at again: what the target points at and its neighbours first, then evenly over the rest.
  private func selection(_ front: [TuningResult.Tried], _ exactSeconds: Double) -> [TuningResult.Tried] {
    guard front.count > settings.frontSize else { return front }
    let wanted: Int
    switch settings.target {
    case .quality(let figure): wanted = front.firstIndex { measures[0].loss(figure) >= $0.loss } ?? front.count - 1
    case .speed(let factor): wanted = front.lastIndex { exactSeconds / $0.seconds >= factor } ?? 0
    }
    // The interval's worse end has to reach the target, and the search's figures are of few pictures: the next better ones are likelier to hold.
    let near = [wanted + 1, wanted + 2, wanted, wanted + 3].filter { front.indices.contains($0) }
    var chosen = Set(near.prefix(max(1, settings.frontSize * 2 / 3)))
    if near.isEmpty { chosen.insert(wanted) }
    for place in stride(from: 0, through: 1, by: 0.25) where chosen.count < settings.frontSize {
      chosen.insert(Int((place * Double(front.count - 1)).rounded()))
    }
    return chosen.sorted().map { front[$0] }
  }

  /// Index of the point that reaches the target, or what comes nearest to it.
  private func judge(_ front: [TuningResult.Point]) -> (index: Int?, nearest: String?) {
    let measure = measures[0]
    func bound(_ point: TuningResult.Point) -> Double {
      guard let estimate = point.quality.first?.estimate else { return .nan }
      return measure.higherIsBetter ? estimate.lower : estimate.upper
    }
    switch settings.target {
    case .quality(let figure):
      let fitting = front.indices.filter { measure.loss(bound(front[$0])) <= measure.loss(figure) && front[$0].speedUp.median > 1 }
      if let best = fitting.max(by: { front[$0].speedUp.median < front[$1].speedUp.median }) { return (best, nil) }
      guard let near = front.indices.min(by: { measure.loss(bound(front[$0])) < measure.loss(bound(front[$1])) }) else {
        return (nil, "nothing faster than the exact run was found")
      }
      let text =
        "\(measure.name) \(Recipe.digits(bound(front[near]), 3)) at \(Recipe.digits(front[near].speedUp.median, 1)) times the speed"
      return (nil, text)
    case .speed(let factor):
      let fitting = front.indices.filter { front[$0].speedUp.median >= factor }
      if let best = fitting.min(by: { measure.loss(bound(front[$0])) < measure.loss(bound(front[$1])) }) { return (best, nil) }
      guard let near = front.max(by: { $0.speedUp.median < $1.speedUp.median }) else {
        return (nil, "nothing faster than the exact run was found")
      }
      return (nil, "\(Recipe.digits(near.speedUp.median, 1)) times the speed at \(measure.name) \(Recipe.digits(bound(near), 3))")
    }
  }
}

extension TuningResult {
  /// The point as a recipe.
  /// - Parameters:
  ///   - index: of ``front``.
  ///   - machine: what it was measured on.
  ///   - origin: how it was found.
  public func recipe(_ index: Int, machine: Recipe.Machine, origin: Recipe.Origin) throws -> Recipe {
    let (point, rival) = (front[index], rivals[index])
    let pictures = point.way.pictures.count
    let quality = point.quality.enumerated().map { place, entry in
      Recipe.Measured.Quality(
        metric: entry.metric, value: entry.estimate.value, lower: entry.estimate.lower, upper: entry.estimate.upper,
        rival: rival?.quality[place].estimate.value)
    }
    let measured = Recipe.Measured(
      pictures: pictures, seconds: point.seconds, exactSeconds: exact.seconds, speedUp: point.speedUp,
      evaluations: Double(point.way.evaluations) / Double(pictures), exactEvaluations: Double(exact.way.evaluations) / Double(pictures),
      quality: quality, rivalSteps: rival?.settings.steps, rivalSeconds: rival?.seconds)
    let used = companions.filter { companion in point.way.companions.values.contains { $0.fingerprint == companion.fingerprint } }
    return Recipe(
      model: model, companions: used, sampling: point.settings, exact: exact.settings,
      guidanceScale: guidanceScale, machine: machine, measured: measured, origin: origin)
  }

  /// Of all runs.
  var guidanceScale: Double { exact.way.request.guidanceScale ?? 1 }
}
