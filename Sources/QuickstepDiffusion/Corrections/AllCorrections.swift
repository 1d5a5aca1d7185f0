import QuickstepNN

/// Every correction, sorted by name. Adding one is its file, its test and a line here.
public enum AllCorrections {
  /// The registered corrections.
  public static let all: [any Correction.Type] = [
    Clipping.self,
    DynamicThresholding.self,
  ]

  /// The correction with this name.
  /// - Throws: ``UnknownMethodError`` with the nearest name.
  public static func named(_ name: String) throws -> any Correction.Type {
    let wanted = canonicalName(name)
    if let found = all.first(where: { canonicalName($0.declaration.name) == wanted }) { return found }
    let known = all.map { $0.declaration.name }
    throw UnknownMethodError(name, family: .correction, known: known, near: known)
  }

  /// The correction with this name, made from raw parameter texts.
  public static func make(_ name: String, _ parameters: [String: String] = [:]) throws -> any Correction {
    let type = try named(name)
    return try type.init(ParameterValues(parameters, for: type.declaration))
  }
}
