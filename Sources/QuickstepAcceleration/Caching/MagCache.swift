public import QuickstepNN

/// MagCache: how fast the size of the blocks' residual changes, measured beforehand, says how often it may be taken again (Ma et al. 2025, arXiv
/// 2506.09045).
public struct MagCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "magcache", family: .acceleration,
    summary: "Leaves out all blocks while the measured ratios of their residual's size stay near 1.",
    points: [.block], reads: ["evaluation"], changes: ["output of the list of blocks"],
    needs: ["a list of blocks", "ratios of 'quickstep calibrate magcache'"], state: "the blocks' residual",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "summed error from which on the blocks run again", domain: .number(0...100), standard: .number(0.06),
        neutral: .number(0)),
      ParameterDeclaration(
        name: "continuous", summary: "evaluations that may be left out in a row, K", domain: .integer(1...1000), standard: .integer(3)),
      ParameterDeclaration(
        name: "retention", summary: "share of the evaluations at the beginning that are full", domain: .number(0...1),
        standard: .number(0.2)),
      ParameterDeclaration(
        name: "ratios",
        summary: "size of the residual relative to the evaluation before, one per evaluation; another number of them is stretched",
        domain: .list(0...1e6), standard: .list([])),
      ParameterDeclaration(
        name: "file", summary: "ratios measured by 'quickstep calibrate magcache'",
        domain: .text("path of a JSON file, or its contents"), standard: .text("")),
    ], exactness: .approximate, reference: "arXiv 2506.09045, section 3; diffusers 0.37, hooks/mag_cache.py")

  let threshold: Double
  let limit: Int
  let retention: Double
  let ratios: [Double]
  let calibration: CacheCalibration?

  /// - Throws: ``AccelerationError`` for ratios from two places, or a file that holds none.
  public init(_ values: ParameterValues) throws {
    (threshold, limit, retention) = (values.number("threshold"), values.integer("continuous") ?? 1, values.number("retention"))
    calibration = try values.text("file").map { try CacheCalibration(source: $0, of: .magnitudes) }
    guard calibration == nil || values.list("ratios").isEmpty else {
      throw AccelerationError("'magcache' takes its ratios from a file or as a list, not both")
    }
    ratios = calibration?.ratios ?? values.list("ratios")
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    _ = try run.needBlocks("magcache")
    try calibration?.check(run, of: "magcache")
    guard threshold > 0 else { return [] }
    guard !ratios.isEmpty else {
      throw AccelerationError("'magcache' needs ratios measured on \(run.network): 'quickstep calibrate magcache', then magcache:file=…")
    }
    let actions = actions(run.calls)
    return actions.contains(.reuse) ? [.range(RangeCache(method: "magcache", value: .residual, actions: actions))] : []
  }

  public func warnings(for run: RunOutline) -> [String] { threshold > 0 ? calibration?.concerns(run, of: "magcache") ?? [] : [] }

  /// The decisions depend on the ratios alone, so that they are known before the run.
  func actions(_ calls: [RunOutline.Call]) -> [SiteAction] {
    let evaluations = calls.count
    // Runs that begin late, and parts of runs, take what was measured where they are.
    let ratios: [Double]
    if let timesteps = calibration?.timesteps {
      ratios = Self.nearest(self.ratios, at: timesteps, to: calls.map(\.level.timestep))
    } else {
      ratios = Self.resampled(self.ratios, to: evaluations)
    }
    let begin = Int(retention * Double(evaluations) + 0.5)
    var (product, error, count) = (1.0, 0.0, 0)
    return (0..<evaluations).map { index in
      guard index >= begin else { return .compute }
      (product, count) = (product * ratios[index], count + 1)
      error += abs(1 - product)
      if index > 0, error <= threshold, count <= limit { return .reuse }
      (product, error, count) = (1, 0, 0)
      return .compute
    }
  }

  /// The entry of the nearest timestep for each of `wanted`. Where several are equally near, as with solvers that evaluate twice at one place, the
  /// first behind the one taken before.
  /// - Parameter timesteps: one per entry, at least one.
  static func nearest(_ values: [Double], at timesteps: [Double], to wanted: [Double]) -> [Double] {
    var last = -1
    return wanted.map { time in
      let least = timesteps.map { abs($0 - time) }.min() ?? 0
      let near = timesteps.indices.filter { abs(timesteps[$0] - time) <= least + 1e-6 }
      last = near.first { $0 > last } ?? near.last ?? 0
      return values[last]
    }
  }

  /// The nearest entry by share of the run for each of `count` evaluations, the first and the last staying such.
  static func resampled(_ values: [Double], to count: Int) -> [Double] {
    guard values.count != count, let last = values.last else { return values }
    guard count > 1 else { return [last] }
    let scale = Double(values.count - 1) / Double(count - 1)
    return (0..<count).map { values[Int((Double($0) * scale).rounded(.toNearestOrEven))] }
  }
}
