public import QuickstepNN

/// CacheQuant's schedule and correction of a cache (Liu et al. 2025, arXiv 2503.01323, sections 3.2 and 3.3): what is kept is refreshed where
/// that lessens the sum of errors most, and between refreshes it goes through an affine map per channel that was fitted to full runs.
public struct CacheQuant: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "cachequant", family: .acceleration,
    summary: "Keeps deep features on a schedule fitted to the model, and corrects them channel by channel.", points: [.block],
    reads: ["deep features, or what the blocks add"], changes: ["deep features, or what the blocks add"],
    needs: ["a calibration ('quickstep calibrate cache') of this model, solver, guidance and number of evaluations"],
    state: "one feature per branch of guidance",
    parameters: [
      ParameterDeclaration(
        name: "file", summary: "the calibration", domain: .text("path of a safetensors file"), standard: .text("")),
      ParameterDeclaration(
        name: "correct", summary: "whether what is kept is corrected; otherwise the schedule alone counts", domain: .flag,
        standard: .flag(true)),
    ], exactness: .approximate, reference: "arXiv 2503.01323, sections 3.2 and 3.3")

  let calibration: CacheCorrection
  let corrects: Bool

  /// - Throws: ``AccelerationError`` without a file; what reading it throws.
  public init(_ values: ParameterValues) throws {
    guard let path = values.text("file") else {
      throw AccelerationError("'cachequant' needs a calibration: cachequant:file=FILE, made by 'quickstep calibrate cache'")
    }
    self.init(try CacheCorrection(path: path), corrects: values.flag("correct"))
  }

  /// From a calibration at hand.
  public init(_ calibration: CacheCorrection, corrects: Bool = true) { (self.calibration, self.corrects) = (calibration, corrects) }

  /// Factors and offsets.
  public var ownBytes: Int { 2 * calibration.evaluations * calibration.channels * MemoryLayout<Double>.size }

  public func parts(for run: RunOutline) throws -> [Part] {
    try calibration.check(run)
    let starts = Set(calibration.starts)
    let actions: [SiteAction] = (0..<run.evaluations).map { starts.contains($0) ? .compute : corrects ? .correct : .reuse }
    let calibration = calibration
    switch calibration.point {
    case .inner(let depth):
      guard let site = run.sites.first(where: { $0.kind == .inner && $0.depth == depth }) else {
        throw AccelerationError("'cachequant': the calibration is for '\(calibration.point)', which \(run.network) does not have")
      }
      var cache = SiteCache(method: "cachequant", sites: [site], actions: actions)
      cache.correction = { _, held, context in
        try held.map { try calibration.corrected($0, evaluation: context.evaluation) }
      }
      return [.sites(cache)]
    case .blocks:
      _ = try run.needBlocks("cachequant")
      var cache = RangeCache(method: "cachequant", value: .residual, actions: actions)
      // The first value is the one that is looked at; further ones, such as the text's, are taken as they are.
      cache.correction = { held, context in
        guard let first = held.first else { return held }
        return [try calibration.corrected(first, evaluation: context.evaluation)] + held.dropFirst()
      }
      return [.range(cache)]
    }
  }
}
