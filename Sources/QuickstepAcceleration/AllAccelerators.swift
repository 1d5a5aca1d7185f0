internal import QuickstepDiffusion
import QuickstepNN

/// Every method of acceleration, sorted by name. Adding one is its file, its test, its article and a line here.
public enum AllAccelerators {
  /// The registered methods.
  public static let all: [any Accelerator.Type] = [
    CGTaylor.self,
    CacheQuant.self,
    DBCache.self,
    DeepCache.self,
    EasyCache.self,
    FasterCache.self,
    FasterDiffusion.self,
    FirstBlockCache.self,
    FORA.self,
    GuidanceCache.self,
    InnerLoopFeedback.self,
    LayerSkip.self,
    MagCache.self,
    PyramidAttention.self,
    PlannedCache.self,
    SmoothCache.self,
    SpeCa.self,
    StepRehash.self,
    ToCa.self,
    TrajectoryStitch.self,
    TaylorSeer.self,
    TeaCache.self,
  ]

  /// The method with this name.
  /// - Throws: `UnknownMethodError` with the nearest name.
  public static func named(_ name: String) throws -> any Accelerator.Type {
    let wanted = canonicalName(name)
    if let found = all.first(where: { canonicalName($0.declaration.name) == wanted }) { return found }
    let known = all.map { $0.declaration.name }
    throw UnknownMethodError(name, family: .acceleration, known: known, near: known)
  }

  /// The method with this name, made from raw parameter texts.
  /// - Throws: `UnknownMethodError`; `ParameterError`; what the method throws.
  public static func make(_ name: String, _ parameters: [String: String] = [:]) throws -> any Accelerator {
    let type = try named(name)
    return try type.init(ParameterValues(parameters, for: type.declaration))
  }
}
