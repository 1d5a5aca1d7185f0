internal import QuickstepDiffusion
internal import QuickstepNN

/// Every metric, sorted by name. A new one is its file and a line here.
public enum AllMetrics {
  /// The registered metrics.
  public static let all: [any Metric.Type] = [
    CLIPScoreMetric.self,
    CoverageMetric.self,
    DensityMetric.self,
    FrechetMetric.self,
    FrechetInfinityMetric.self,
    KernelMetric.self,
    MultiScaleSimilarityMetric.self,
    NetDistanceMetric.self,
    PrecisionMetric.self,
    PeakSignalToNoiseMetric.self,
    RecallMetric.self,
    RecognitionMetric.self,
    StructuralSimilarityMetric.self,
  ]

  /// The metric of this name; case and separators do not matter.
  /// - Throws: `UnknownMethodError` with the nearest name.
  public static func named(_ name: String) throws -> any Metric.Type {
    let wanted = canonicalName(name)
    if let found = all.first(where: { canonicalName($0.declaration.name) == wanted }) { return found }
    let known = all.map { $0.declaration.name }
    throw UnknownMethodError(name, family: Family("metric"), known: known, near: known)
  }

  /// The metric of this name made from raw parameter texts, once for each of `nets` that it can use.
  /// - Throws: `UnknownMethodError`; `ParameterError`; ``EvaluationError`` when it needs a network and none of them suits.
  public static func make(_ name: String, _ parameters: [String: String] = [:], nets: [any EvaluationNet] = []) throws -> [any Metric] {
    let type = try named(name)
    let declaration = type.declaration
    let values = try ParameterValues(parameters, of: declaration.parameters, owner: "metric '\(declaration.name)'")
    let made = try type.make(values, nets: nets)
    guard made.isEmpty, let need = declaration.need else { return made }
    let suiting = AllEvaluationNets.all.filter { $0.provides.contains(need) }.map(\.name)
    throw EvaluationError("metric '\(declaration.name)' needs one of the networks \(suiting.joined(separator: ", "))")
  }
}
