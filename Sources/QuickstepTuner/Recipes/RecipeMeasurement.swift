import QuickstepEvaluation
public import QuickstepPipelines
import QuickstepTensor

extension Recipe {
  /// The same recipe with what is measured of it here, in turn with the exact run and with fewer steps at equal time.
  /// - Parameters:
  ///   - model: may be another one than it was found for; the recipe is then that one's.
  ///   - prompts: one picture each.
  ///   - machine: what it is measured on.
  /// - Throws: `GenerationError` where the recipe or the exact run cannot be carried out; `CancellationError`.
  public func measured(
    on model: LoadedModel, prompts: [String], firstSeed: UInt64, machine: Machine, measures: [QualityMeasure],
    progress: (Double, Int, String) -> Void = { _, _, _ in }
  ) throws -> Recipe {
    var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { firstSeed &+ UInt64($0) })
    request.guidanceScale = guidanceScale
    request = exact.applied(to: request)
    let ways = [
      PairedRuns.Way(label: "exact", request: request),
      PairedRuns.Way(label: sampling.title, settings: sampling, from: request, model: model),
    ]
    var runs = try PairedRuns(ways, model: model, progress: progress).ways
    if let problem = runs.lazy.compactMap(\.problem).first { throw GenerationError(problem) }
    let ratio = Spread(zip(runs[1].seconds, runs[0].seconds).map { $0 / $1 }).median
    let full = request.steps ?? model.defaults.steps
    let rivalSteps = max(1, Int((Double(full) * ratio).rounded()))
    if rivalSteps < full {
      var fewer = SamplingSettings()
      fewer.steps = rivalSteps
      let beside = PairedRuns.Way(label: "\(rivalSteps) steps", settings: fewer, from: request, model: model)
      let turn = try PairedRuns([ways[0], beside], model: model).ways
      var rival = turn[1]
      // In the exact run's time of the first pass, so that all times of the recipe belong together on a machine whose speed drifts.
      rival.seconds = zip(zip(turn[1].seconds, turn[0].seconds), runs[0].seconds).map { $0.0 / $0.1 * $1 }
      runs.append(rival)
    }
    let reference = try withTensorErrors { Tensor.stack(runs[0].pictures) }
    func figures(_ way: PairedRuns.Way) throws -> [[Double]] {
      let pictures = try withTensorErrors { Tensor.stack(way.pictures) }
      return try measures.map { try $0.figures(pictures, reference) }
    }
    let own = try figures(runs[1])
    let rival = runs.count > 2 && runs[2].problem == nil ? try figures(runs[2]) : nil
    let quality = try measures.indices.map { index in
      let estimate = try Bootstrap().mean(own[index])
      return Measured.Quality(
        metric: measures[index].name, value: estimate.value, lower: estimate.lower, upper: estimate.upper,
        rival: rival.map { $0[index].reduce(0, +) / Double($0[index].count) })
    }
    var recipe = self
    recipe.model = .init(name: model.name, fingerprint: model.fingerprint)
    recipe.companions = runs[1].companions.values.map { .init(name: $0.name, fingerprint: $0.fingerprint) }.sorted { $0.name < $1.name }
    recipe.machine = machine
    recipe.measured = Measured(
      pictures: prompts.count, seconds: Spread(runs[1].seconds), exactSeconds: Spread(runs[0].seconds),
      speedUp: Spread(zip(runs[0].seconds, runs[1].seconds).map { $0 / $1 }),
      evaluations: Double(runs[1].evaluations) / Double(prompts.count),
      exactEvaluations: Double(runs[0].evaluations) / Double(prompts.count),
      quality: quality, rivalSteps: rival == nil ? nil : rivalSteps, rivalSeconds: rival == nil ? nil : Spread(runs[2].seconds))
    recipe.measured?.take(runs[1], exact: runs[0])
    return recipe
  }
}
