import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines

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
    var measured = Recipe.Measured(
      pictures: pictures, seconds: point.seconds, exactSeconds: exact.seconds, speedUp: point.speedUp,
      evaluations: Double(point.way.evaluations) / Double(pictures), exactEvaluations: Double(exact.way.evaluations) / Double(pictures),
      quality: quality, rivalSteps: rival?.settings.steps, rivalSeconds: rival?.seconds)
    measured.kept = point.kept.isEmpty ? nil : point.kept
    measured.rivalKept = rival.flatMap { $0.kept.isEmpty ? nil : $0.kept }
    measured.take(point.way, exact: exact.way)
    let used = companions.filter { companion in point.way.companions.values.contains { $0.fingerprint == companion.fingerprint } }
    return Recipe(
      model: model, companions: used, sampling: point.settings, exact: exact.settings,
      guidanceScale: guidanceScale, machine: machine, measured: measured, origin: origin)
  }

  /// Of all runs.
  var guidanceScale: Double { exact.way.request.guidanceScale ?? 1 }
}
