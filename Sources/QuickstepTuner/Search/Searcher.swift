public import QuickstepNN

/// Chooses what to evaluate next. One method, one file; ``AllSearchers`` lists them.
///
/// A searcher's state is a pure function of its construction (space, objectives, parameters, seed) and of the calls to ``ask(_:)`` and
/// ``tell(_:)`` in order. ``SearchRun`` makes the same calls again after a kill, with outcomes from the archive, and so arrives at the same
/// proposals.
public protocol Searcher: Sendable {
  /// Name, parameters with ranges, reference.
  static var declaration: MethodDeclaration { get }

  /// - Parameters:
  ///   - space: what to choose from; its known candidates are proposed first.
  ///   - objectives: number of objectives, all minimised.
  ///   - parameters: checked values for ``declaration``.
  ///   - seed: of everything drawn.
  /// - Throws: ``SearchError`` or `ParameterError` where the parameters do not fit each other or the space.
  init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws

  /// Values of parameters that go with a population of this size, for methods that declare one: `population`, and what has to fit it.
  static func parameters(population: Int) -> [String: String]

  /// Up to `count` proposals. Fewer, or none, where the searcher has to be told of earlier ones first, or is finished.
  /// - Throws: what training a predictor throws.
  mutating func ask(_ count: Int) throws -> [Proposal]

  /// Results of what was asked, in the order in which it was asked. Failed trials (without outcome) are told too.
  mutating func tell(_ trials: [Trial])

  /// Whether there is nothing left to ask, however much is told.
  var isFinished: Bool { get }
}

extension Searcher {
  /// The declared name.
  public static var name: String { declaration.name }

  public static func parameters(population: Int) -> [String: String] { ["population": "\(population)"] }
}

extension Family {
  /// How what to try next is chosen from what was tried.
  public static let searcher = Family("searcher")
}
