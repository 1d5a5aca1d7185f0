public import QuickstepNN
import QuickstepTensor

/// CacheQuant's schedule and correction of a cache (Liu et al. 2025, arXiv 2503.01323, sections 3.2 and 3.3): what is kept is refreshed where
/// that lessens the sum of errors most, and between refreshes it goes through an affine map per channel that was fitted to full runs.
///
/// Without a calibration a schedule can be given by hand, or by a search; what is kept is then reused, or forecast, as it is.
public struct CacheQuant: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "cachequant", family: .acceleration,
    summary: "Keeps deep features on a schedule fitted to the model, and corrects them channel by channel.", points: [.block],
    reads: ["deep features, or what the blocks add"], changes: ["deep features, or what the blocks add"],
    needs: ["a calibration ('quickstep calibrate cache') of this model, solver, guidance and number of evaluations, or a schedule"],
    state: "one feature per branch of guidance (order + 1 with forecasts)",
    parameters: [
      ParameterDeclaration(
        name: "file", summary: "the calibration", domain: .text("path of a safetensors file"), standard: .text("")),
      ParameterDeclaration(
        name: "correct", summary: "whether what a calibration keeps is corrected; otherwise its schedule alone counts", domain: .flag,
        standard: .flag(true)),
      ParameterDeclaration(
        name: "order", summary: "order of a forecast between full evaluations, in place of a correction; 0: none", domain: .integer(0...4),
        standard: .integer(0)),
      ParameterDeclaration(
        name: "starts", summary: "in place of a calibration: the evaluations that compute everything, the first of them 0",
        domain: .list(0...100_000), standard: .list([])),
      ParameterDeclaration(
        name: "point", summary: "with 'starts': what is kept; empty takes the outermost skip connection's inside, or the blocks",
        domain: .text("inner.N or blocks"), standard: .text("")),
    ], exactness: .approximate, reference: "arXiv 2503.01323, sections 3.2 and 3.3")

  /// Where full evaluations come from.
  enum Schedule: Sendable {
    case fitted(CacheCorrection)
    case given(starts: [Int], point: CacheCorrection.Point?)
  }

  /// What is taken between them.
  enum Estimate: Sendable {
    case corrected
    case forecast(order: Int)

    var action: SiteAction {
      switch self {
      case .corrected: .correct
      case .forecast(let order): order == 0 ? .reuse : .forecast(order: order)
      }
    }
  }

  let schedule: Schedule
  let estimate: Estimate

  /// - Throws: ``AccelerationError`` without a file or schedule, or with both; what reading the file throws.
  public init(_ values: ParameterValues) throws {
    let (starts, order) = (values.list("starts"), values.integer("order") ?? 0)
    if let path = values.text("file") {
      guard starts.isEmpty, values.text("point") == nil else {
        throw AccelerationError("'cachequant' takes a calibration (file) or a schedule (starts, point), not both")
      }
      self.init(try CacheCorrection(path: path), corrects: values.flag("correct"), order: order)
    } else {
      guard !starts.isEmpty else {
        throw AccelerationError(
          "'cachequant' needs a calibration: cachequant:file=FILE, made by 'quickstep calibrate cache', or starts=0,…")
      }
      let point = try values.text("point").map { text in
        guard let point = CacheCorrection.Point(text) else {
          throw AccelerationError("'cachequant': the point is '\(text)'; allowed: inner.N, blocks")
        }
        return point
      }
      guard values.flag("correct") else {
        throw AccelerationError("'cachequant': correct=false is for a calibration (file); a schedule alone corrects nothing")
      }
      let whole = starts.compactMap { Int(exactly: $0) }
      guard whole.count == starts.count else {
        throw AccelerationError("'cachequant': starts=\(starts.map { "\($0)" }.joined(separator: ",")); evaluations are whole numbers")
      }
      try self.init(starts: whole, point: point, order: order)
    }
  }

  /// From a calibration at hand.
  /// - Parameter order: of a forecast in place of the correction; 0 for none.
  public init(_ calibration: CacheCorrection, corrects: Bool = true, order: Int = 0) {
    schedule = .fitted(calibration)
    estimate = corrects && order == 0 ? .corrected : .forecast(order: order)
  }

  /// From a schedule.
  /// - Parameters:
  ///   - starts: evaluations that compute everything, rising from 0.
  ///   - point: what is kept; `nil` takes the inside of a U-Net's outermost skip connection, or what a list of blocks adds.
  ///   - order: of the forecast between them; 0 reuses.
  /// - Throws: ``AccelerationError`` for a schedule that does not rise from 0.
  public init(starts: [Int], point: CacheCorrection.Point? = nil, order: Int = 0) throws {
    guard starts.first == 0, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw AccelerationError("'cachequant': full evaluations \(starts) have to rise from 0")
    }
    (schedule, estimate) = (.given(starts: starts, point: point), .forecast(order: order))
  }

  /// Factors and offsets.
  public var ownBytes: Int {
    guard case .fitted(let calibration) = schedule, case .corrected = estimate else { return 0 }
    return 2 * calibration.evaluations * calibration.channels * MemoryLayout<Double>.size
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    switch schedule {
    case .fitted(let calibration):
      try calibration.check(run)
      return [
        try part(run, calibration.point, starts: calibration.starts) { try calibration.corrected($0, evaluation: $1) }
      ]
    case .given(let starts, let point):
      guard let last = starts.last, last < run.evaluations else {
        throw AccelerationError(
          "'cachequant': the schedule has a full evaluation \(starts.last ?? 0), the run \(run.evaluations) evaluations")
      }
      return [try part(run, point ?? CacheCorrection.Point.available(in: run.sites).first ?? .blocks, starts: starts)]
    }
  }

  private func part(
    _ run: RunOutline, _ point: CacheCorrection.Point, starts: [Int],
    correction: (@Sendable (Tensor, _ evaluation: Int) throws -> Tensor)? = nil
  ) throws -> Part {
    let full = Set(starts)
    let actions = (0..<run.evaluations).map { full.contains($0) ? .compute : estimate.action }
    switch point {
    case .inner(let depth):
      guard let site = run.sites.first(where: { $0.kind == .inner && $0.depth == depth }) else {
        throw AccelerationError("'cachequant': the schedule is for '\(point)', which \(run.network) does not have")
      }
      var cache = SiteCache(method: "cachequant", sites: [site], actions: actions, rule: NewtonExtrapolation())
      if let correction { cache.correction = { _, held, context in try held.map { try correction($0, context.evaluation) } } }
      return .sites(cache)
    case .blocks:
      _ = try run.needBlocks("cachequant")
      var cache = RangeCache(method: "cachequant", value: .residual, actions: actions, rule: NewtonExtrapolation())
      // The first value is the one that is looked at; further ones, such as the text's, are taken as they are.
      if let correction {
        cache.correction = { held, context in
          guard let first = held.first else { return held }
          return [try correction(first, context.evaluation)] + held.dropFirst()
        }
      }
      return .range(cache)
    }
  }
}
