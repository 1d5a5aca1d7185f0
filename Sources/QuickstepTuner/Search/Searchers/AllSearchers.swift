internal import QuickstepDiffusion
internal import QuickstepNN

/// Every searcher, sorted by name. Adding one is its file, its test, its article and a line here.
public enum AllSearchers {
  /// The registered searchers.
  public static let all: [any Searcher.Type] = [
    SimulatedAnnealing.self,
    AutoDiffusion.self,
    GridSearch.self,
    Hyperband.self,
    LocalSearch.self,
    NSGA2.self,
    RandomSearch.self,
    RankingGuidedSearch.self,
    SuccessiveHalving.self,
  ]

  /// The searcher with this name.
  /// - Throws: `UnknownMethodError` with the nearest name.
  public static func named(_ name: String) throws -> any Searcher.Type {
    let wanted = canonicalName(name)
    if let found = all.first(where: { canonicalName($0.declaration.name) == wanted }) { return found }
    let known = all.map { $0.declaration.name }
    throw UnknownMethodError(name, family: .searcher, known: known, near: known)
  }

  /// The searcher with this name, made from raw parameter texts.
  /// - Throws: `UnknownMethodError`, `ParameterError` or ``SearchError``.
  public static func make(
    _ name: String, _ parameters: [String: String] = [:], space: SearchSpace, objectives: Int, seed: UInt64
  ) throws -> any Searcher {
    let type = try named(name)
    guard objectives >= 1 else { throw SearchError("a search with \(objectives) objectives; at least 1 is needed") }
    return try type.init(
      space: space, objectives: objectives, parameters: ParameterValues(parameters, for: type.declaration), seed: seed)
  }
}
