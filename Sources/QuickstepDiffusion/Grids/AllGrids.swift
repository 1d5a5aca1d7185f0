import QuickstepNN

/// Every spacing, sorted by name. Adding one is its file, its test and a line here.
public enum AllGrids {
  /// The registered rules.
  public static let all: [any Spacing.Type] = [
    Exponential.self,
    Karras.self,
    Leading.self,
    Linspace.self,
    UniformLogSNR.self,
    Quadratic.self,
    Trailing.self,
  ]

  /// The rule with this name or alias.
  /// - Throws: ``UnknownMethodError`` with the nearest name.
  public static func named(_ name: String) throws -> any Spacing.Type {
    let wanted = canonicalName(name)
    if let found = all.first(where: { ([$0.declaration.name] + $0.aliases).map(canonicalName).contains(wanted) }) { return found }
    throw UnknownMethodError(
      name, family: .grid, known: all.map { $0.declaration.name }, near: all.flatMap { [$0.declaration.name] + $0.aliases })
  }

  /// The rule with this name, made from raw parameter texts.
  public static func make(_ name: String, _ parameters: [String: String] = [:]) throws -> any Spacing {
    let type = try named(name)
    return try type.init(ParameterValues(parameters, for: type.declaration))
  }
}
