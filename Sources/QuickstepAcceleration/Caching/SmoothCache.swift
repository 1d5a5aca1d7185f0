public import QuickstepNN

/// SmoothCache: how long modules of each kind may be reused is read from how much their outputs differed between evaluations of full runs (Liu et al.
/// 2024, arXiv 2411.10510).
public struct SmoothCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "smoothcache", family: .acceleration,
    summary: "Reuses modules of each kind for as many evaluations as their measured change allows.",
    points: [.block], reads: ["module outputs"], changes: ["module outputs"],
    needs: ["attention or feed-forward modules", "errors of 'quickstep calibrate smoothcache'"], state: "one output per module",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "relative difference up to which an output is reused, α", domain: .number(0...10),
        standard: .number(0.1), neutral: .number(0)),
      ParameterDeclaration(
        name: "file", summary: "differences measured by 'quickstep calibrate smoothcache'",
        domain: .text("path of a JSON file, or its contents"), standard: .text("")),
      ParameterDeclaration(name: "last", summary: "whether the last evaluation is full", domain: .flag, standard: .flag(true)),
    ], exactness: .approximate, reference: "arXiv 2411.10510, section 3.2; Roblox/SmoothCache")

  let threshold: Double
  let calibration: CacheCalibration?
  let endsFull: Bool

  /// - Throws: ``AccelerationError`` for a file that holds no differences.
  public init(_ values: ParameterValues) throws {
    (threshold, endsFull) = (values.number("threshold"), values.flag("last"))
    calibration = try values.text("file").map { try CacheCalibration(source: $0, of: .differences) }
  }

  /// - Throws: ``AccelerationError`` without differences, and for such of another model or of other evaluations.
  public func parts(for run: RunOutline) throws -> [Part] {
    let modules = try run.needModules("smoothcache")
    try calibration?.check(run, of: "smoothcache")
    guard threshold > 0 else { return [] }
    guard let calibration else {
      throw AccelerationError("'smoothcache' needs differences measured on \(run.network): 'quickstep calibrate smoothcache', then file=…")
    }
    try calibration.checkEvaluations(run, of: "smoothcache")
    var plan: [Site: [SiteAction]] = [:]
    for (kind, rows) in calibration.differences ?? [:] {
      let actions = Self.actions(rows, threshold: threshold, evaluations: run.evaluations, endsFull: endsFull)
      for site in modules where site.kind.rawValue == kind && actions.contains(.reuse) { plan[site] = actions }
    }
    return plan.isEmpty ? [] : [.sites(SiteCache(method: "smoothcache", plan: plan))]
  }

  public func warnings(for run: RunOutline) -> [String] { threshold > 0 ? calibration?.concerns(run, of: "smoothcache") ?? [] : [] }

  /// From each full evaluation as far as the differences allow.
  /// - Parameter rows: `rows[lag − 1][i]` is the difference between evaluations i and i + lag.
  static func actions(_ rows: [[Double]], threshold: Double, evaluations: Int, endsFull: Bool) -> [SiteAction] {
    var actions: [SiteAction] = []
    while actions.count < evaluations {
      let index = actions.count
      let lag = rows.indices.last { index < rows[$0].count && rows[$0][index] <= threshold }.map { $0 + 1 } ?? 0
      actions += [.compute] + Array(repeating: .reuse, count: min(lag, evaluations - index - 1))
    }
    if endsFull, evaluations > 0 { actions[evaluations - 1] = .compute }
    return actions
  }
}
