import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

extension Tuner {
  /// Makes points of the front again, in turn with the exact run and with runs of fewer steps, on what the search had not seen, until one
  /// reaches the target or time is up.
  func checked(
    _ report: SearchReport, _ problem: TuningProblem, _ companions: [LoadedModel], until deadline: Double,
    _ progress: @escaping @Sendable (TuningProgress) -> Void
  ) throws -> TuningResult {
    let tried = report.trials.compactMap { trial -> TuningResult.Tried? in
      guard trial.isFeasible, trial.fidelity == 1, let outcome = trial.outcome else { return nil }
      return .init(settings: problem.joint.settings(trial.candidate), seconds: outcome.objectives[0], loss: outcome.objectives[1])
    }
    let exactSeconds = tried.first { $0.settings.singleName == "" && $0.loss == 0 }?.seconds ?? problem.exactSeconds
    let area = FrontArea(tried, measure: measures[0], exactSeconds: exactSeconds)
    let front = TuningResult.front(tried).filter(area.holds)
    var checks = FrontChecks(self, exactSeconds: exactSeconds, progress)
    if settings.target == .kept {
      progress(.stage("looking for the fastest that keeps \(settings.safeguards.map(\.name).joined(separator: ", "))"))
      try checks.findKept(in: front)
    }
    try checks.measure(selection(front, exactSeconds, checks))
    // The search's figures are of few pictures: where no point holds what it promised, the next better ones may.
    for _ in 0..<3 where judged(checks).index == nil && clock.now < deadline {
      let further = furtherPoints(front, checks)
      if further.isEmpty { break }
      progress(.stage("nothing reaches the target yet; checking \(further.count) more"))
      try checks.measure(further)
    }
    var chosen = judged(checks)
    if settings.target != .kept, !settings.safeguards.isEmpty { chosen = try guarded(chosen, &checks, progress) }
    if !settings.safeguards.isEmpty, let rival = chosen.index.flatMap({ checks.points[$0].rival }) { try checks.judge(rival.settings) }
    guard let exact = checks.exact else { throw GenerationError("the exact run made no pictures") }
    return TuningResult(
      model: .init(name: model.name, fingerprint: model.fingerprint),
      companions: companions.map { .init(name: $0.name, fingerprint: $0.fingerprint) }, measure: measures[0], exact: exact,
      front: checks.points.map(\.point), rivals: checks.points.map(\.rival), tried: tried, exactSeconds: exactSeconds,
      chosen: chosen.index, target: settings.target, nearest: chosen.nearest, trials: report.trials.count, resumed: report.resumed,
      stop: report.stop, volumes: area.volumes(tried))
  }

  /// Points of a front to look at again: what the target points at and its neighbours first, then evenly over the rest.
  private func selection(
    _ front: [TuningResult.Tried], _ exactSeconds: Double, _ checks: FrontChecks
  ) -> [TuningResult.Tried] {
    guard front.count > settings.frontSize else { return front }
    let wanted: Int
    var near: [Int]
    switch settings.target {
    case .quality(let figure):
      wanted = front.firstIndex { measures[0].loss(figure) >= $0.loss } ?? front.count - 1
      // The interval's worse end has to reach the target: the next better ones are likelier to hold.
      near = [wanted + 1, wanted + 2, wanted, wanted + 3]
    case .speed(let factor):
      wanted = front.lastIndex { exactSeconds / $0.seconds >= factor } ?? 0
      near = [wanted + 1, wanted, wanted - 1, wanted - 2]
    case .kept:
      near = front.indices.filter { checks.keeps(front[$0].settings) == true }
      wanted = near.first ?? 0
    }
    near = near.filter { front.indices.contains($0) }
    var chosen = Set(near.prefix(max(1, settings.frontSize * 2 / 3)))
    if near.isEmpty { chosen.insert(wanted) }
    for place in stride(from: 0, through: 1, by: 0.25) where chosen.count < settings.frontSize {
      chosen.insert(Int((place * Double(front.count - 1)).rounded()))
    }
    return chosen.sorted().map { front[$0] }
  }

  /// The next two points on the side of the front where the target may still be reached, of those that were not measured.
  private func furtherPoints(_ front: [TuningResult.Tried], _ checks: FrontChecks) -> [TuningResult.Tried] {
    let measured = Set(checks.points.map(\.point.settings))
    let left = front.filter { !measured.contains($0.settings) }
    switch settings.target {
    case .quality(let figure):
      return Array(left.filter { $0.loss < measures[0].loss(figure) }.prefix(2))
    case .speed, .kept:
      return Array(left.prefix(2))
    }
  }

  /// Index of the point that reaches the target, or what comes nearest to it.
  private func judged(_ checks: FrontChecks) -> Verdict {
    let (measure, front) = (measures[0], checks.points.map(\.point))
    func bound(_ point: TuningResult.Point) -> Double {
      guard let estimate = point.quality.first?.estimate else { return .nan }
      return measure.higherIsBetter ? estimate.lower : estimate.upper
    }
    func words(_ point: TuningResult.Point) -> String {
      "\(measure.name) \(Recipe.digits(bound(point), 3)) at \(Recipe.digits(point.speedUp.median, 1)) times the speed"
    }
    let faster = front.indices.filter { front[$0].speedUp.median > 1 }
    let nothing = "nothing faster than the exact run was found"
    switch settings.target {
    case .quality(let figure):
      let fitting = faster.filter { measure.loss(bound(front[$0])) <= measure.loss(figure) }
      if let best = fitting.max(by: { front[$0].speedUp.median < front[$1].speedUp.median }) { return Verdict(index: best) }
      let near = front.indices.min { measure.loss(bound(front[$0])) < measure.loss(bound(front[$1])) }
      return Verdict(nearest: near.map { words(front[$0]) } ?? nothing)
    case .speed(let factor):
      let fitting = front.indices.filter { front[$0].speedUp.median >= factor }
      if let best = fitting.min(by: { measure.loss(bound(front[$0])) < measure.loss(bound(front[$1])) }) { return Verdict(index: best) }
      let near = front.max { $0.speedUp.median < $1.speedUp.median }
      return Verdict(
        nearest: near.map { "\(Recipe.digits($0.speedUp.median, 1)) times the speed at \(measure.name) \(Recipe.digits(bound($0), 3))" }
          ?? nothing)
    case .kept:
      let fitting = faster.filter { checks.keeps(front[$0].settings) == true }
      if let best = fitting.max(by: { front[$0].speedUp.median < front[$1].speedUp.median }) { return Verdict(index: best) }
      return Verdict(nearest: checks.nearestKept ?? nothing)
    }
  }

  /// What the target chose, where it keeps all figures; otherwise the next that does.
  private func guarded(
    _ chosen: Verdict, _ checks: inout FrontChecks, _ progress: @escaping @Sendable (TuningProgress) -> Void
  ) throws -> Verdict {
    guard let first = chosen.index else { return chosen }
    progress(.stage("looking at \(settings.safeguards.map(\.name).joined(separator: ", "))"))
    let points = checks.points.map(\.point)
    let losses = points.map { point in point.quality.first.map { measures[0].loss($0.estimate.value) } ?? .infinity }
    // Whatever is nearer to the exact run reaches a target of quality as well; a target of speed leaves no choice.
    var order = [first]
    if case .quality = settings.target {
      order += points.indices.filter { $0 != first && losses[$0] <= losses[first] && points[$0].speedUp.median > 1 }
        .sorted { points[$0].speedUp.median > points[$1].speedUp.median }
    }
    for index in order where try checks.judge(points[index].settings) { return Verdict(index: index) }
    return Verdict(nearest: checks.nearestKept)
  }

  /// What came of a check.
  private struct Verdict {
    var index: Int?
    var nearest: String?
  }
}
