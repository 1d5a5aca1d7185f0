import QuickstepNN

/// Every spacing, sorted by name. Adding one is its file, its test and a line here.
public enum AllGrids {
  /// The registered rules.
  public static let all: [any Spacing.Type] = [
    AlignYourSteps.self,
    Beta.self,
    Explicit.self,
    Exponential.self,
    Karras.self,
    KLOptimal.self,
    LCMSubset.self,
    Leading.self,
    LinearQuadratic.self,
    Linspace.self,
    UniformLogSNR.self,
    Quadratic.self,
    Simple.self,
    Trailing.self,
  ]

  /// What a name stands for: the rule, and what a foreign name implies besides.
  public struct Match: Sendable {
    /// The rule.
    public let spacing: any Spacing.Type
    /// The foreign name it was found by, if it was not the rule's own.
    public let alias: SpacingAlias?

    /// What the alias implies, and then the given parameters.
    public func parameters(_ given: [String: String]) -> [String: String] { (alias?.parameters ?? [:]).merging(given) { $1 } }
  }

  /// The rule with this name or alias, and what the alias implies; case and separators do not matter.
  /// - Throws: ``UnknownMethodError`` with the nearest name.
  public static func match(_ name: String) throws -> Match {
    let wanted = canonicalName(name)
    if let found = all.first(where: { canonicalName($0.declaration.name) == wanted }) { return Match(spacing: found, alias: nil) }
    for spacing in all {
      if let alias = spacing.aliases.first(where: { canonicalName($0.name) == wanted }) { return Match(spacing: spacing, alias: alias) }
    }
    throw UnknownMethodError(
      name, family: .grid, known: all.map { $0.declaration.name }, near: all.flatMap { [$0.declaration.name] + $0.aliases.map(\.name) })
  }

  /// The rule with this name or alias.
  /// - Throws: ``UnknownMethodError`` with the nearest name.
  public static func named(_ name: String) throws -> any Spacing.Type { try match(name).spacing }

  /// The rule with this name, made from what the name implies and the given raw parameter texts.
  public static func make(_ name: String, _ parameters: [String: String] = [:]) throws -> any Spacing {
    let found = try match(name)
    return try found.spacing.init(ParameterValues(found.parameters(parameters), for: found.spacing.declaration))
  }
}
