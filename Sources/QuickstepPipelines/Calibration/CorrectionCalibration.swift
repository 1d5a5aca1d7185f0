public import QuickstepAcceleration
internal import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepNN
internal import QuickstepTensor
internal import Synchronization

/// Fits schedule and correction of ``CacheQuant`` to a model: full runs, of which one point inside the network is recorded.
public struct CorrectionCalibration: Sendable {
  /// What a fit leaves of the error, on the runs it was fitted to.
  public struct Result: Sendable {
    /// What the method reads.
    public var calibration: CacheCorrection
    /// Σ of distances over the reused evaluations, in those of every N-th evaluation: what the schedule brings.
    public var scheduleCost: Double
    /// Root mean square of the error of what is reused, in that of its values' differences without correction: what the correction brings.
    public var correctedShare: Double
  }

  /// What the full runs are made of: prompts, seeds, guidance, solver, steps, size.
  public var request: GenerationRequest
  /// What is kept; `nil` takes everything deeper than the outermost skip connection of a U-Net, and of other networks what their blocks add.
  public var point: CacheCorrection.Point?
  /// Mean evaluations per full one.
  public var interval = 5
  /// Whether full evaluations are simply every `interval`-th one.
  public var isUniform = false
  /// Whether distances count in the size of the values, so that evaluations with large ones do not outweigh the others.
  public var isRelative = false
  /// Runs made at once.
  public var batch = 8
  /// Called with what is being done and the fraction that is done.
  public var progress: (@Sendable (String, Double) -> Void)?

  /// A fit to runs of `request`.
  public init(_ request: GenerationRequest) { self.request = request }

  /// - Throws: `GenerationError` for numbers that do not fit together and networks without such a point; what generating throws.
  public func fit(_ model: LoadedModel) throws -> Result {
    guard interval >= 2, batch >= 1, !request.prompts.isEmpty else {
      throw GenerationError("\(request.prompts.count) runs in batches of \(batch), an interval of \(interval); allowed: 1, 1, 2 and above")
    }
    guard request.accelerations.isEmpty else { throw GenerationError("the full runs of a calibration are not accelerated") }
    let plan = try ResolvedRequest(request, model: model)
    let point = try point(of: model)
    var (statistics, timesteps): (CacheStatistics?, [Double]) = (nil, [])
    for start in stride(from: 0, to: request.prompts.count, by: batch) {
      let range = start..<min(start + batch, request.prompts.count)
      let recorded = try record(range, point, ImagePipeline(model))
      timesteps = recorded.timesteps
      var sums = statistics ?? CacheStatistics(evaluations: timesteps.count, reach: 2 * interval)
      try sums.add(recorded.values)
      statistics = sums
      progress?("full runs", Double(range.upperBound) / Double(request.prompts.count))
    }
    guard let statistics else { throw GenerationError("no run was recorded") }
    func distance(_ start: Int, _ evaluation: Int) -> Double { statistics.distance(from: start, to: evaluation, isRelative: isRelative) }
    let uniform = CacheSchedule.uniform(count: timesteps.count, interval: interval)
    let starts = try isUniform ? uniform : CacheSchedule.starts(count: timesteps.count, interval: interval, distance: distance)
    let identity = RunIdentity(fingerprint: model.fingerprint, solver: plan.solverName, guidanceScale: plan.guidanceScale)
    let calibration = try CacheCorrection(
      statistics, starts: starts, point: point,
      origin: .init(identity: identity, timesteps: timesteps, samples: request.prompts.count))
    func sum(_ starts: [Int], _ value: (Int, Int) -> Double) -> Double {
      timesteps.indices.reduce(0) { sum, evaluation in
        let start = starts.last { $0 <= evaluation } ?? 0
        return start == evaluation ? sum : sum + value(start, evaluation)
      }
    }
    let (own, even) = (sum(starts, distance), sum(uniform, distance))
    let plain = sum(starts) { statistics.error(from: $0, to: $1).plain }
    let corrected = sum(starts) { statistics.error(from: $0, to: $1).corrected }
    return Result(
      calibration: calibration, scheduleCost: even > 0 ? own / even : 1, correctedShare: plain > 0 ? (corrected / plain).squareRoot() : 1)
  }

  private func point(of model: LoadedModel) throws -> CacheCorrection.Point {
    let sites = model.backbone.sites
    let isNest = sites.contains { $0.kind == .inner }
    let chosen = point ?? (isNest ? .inner(0) : .blocks)
    let exists =
      switch chosen {
      case .inner(let depth): sites.contains { $0.kind == .inner && $0.depth == depth }
      case .blocks: sites.contains { $0.kind == .block }
      }
    guard exists else {
      let count = sites.count { $0.kind == .inner }
      throw GenerationError("'\(model.name)' has no '\(chosen)'; it has \(isNest ? "inner.0…inner.\(count - 1)" : "blocks")")
    }
    return chosen
  }

  /// The values of one batch of full runs, one per evaluation, in main memory.
  private func record(
    _ range: Range<Int>, _ point: CacheCorrection.Point, _ pipeline: ImagePipeline
  ) throws -> (values: [Tensor], timesteps: [Double]) {
    var part = request
    (part.prompts, part.seeds, part.batch) = (Array(request.prompts[range]), Array(request.seeds[range]), range.count)
    part.stopsAtLatents = true
    let kept = Mutex<[(context: StepContext, value: Tensor)]>([])
    let sites = pipeline.model.backbone.sites.filter {
      if case .inner(let depth) = point { $0.kind == .inner && $0.depth == depth } else { false }
    }
    let tap = SiteTap(sites: Set(sites), recordsList: point == .blocks) { visit in
      guard let output = visit.output.first, let input = visit.input.first else { return }
      let value = try withTensorErrors { (visit.site == nil ? output - input : output).to(.cpu).clone() }
      kept.withLock { $0.append((visit.context, value)) }
    }
    part.observers = [tap]
    _ = try pipeline.generate(part)
    let visits = kept.withLock { $0 }
    let count = visits.first?.context.evaluationCount ?? 0
    let groups = Dictionary(grouping: visits) { $0.context.evaluation }
    let values = try (0..<count).map { evaluation in
      guard let own = groups[evaluation] else { throw GenerationError("evaluation \(evaluation) of \(count) was not recorded") }
      // Branches of guidance that were evaluated apart count together.
      return try withTensorErrors { own.count == 1 ? own[0].value : .cat(own.map(\.value)) }
    }
    guard Set(values.map(\.shape)).count == 1 else {
      throw GenerationError("guidance must act in all evaluations of a calibration, or in none: what is recorded differs in shape")
    }
    return (values, (0..<count).map { groups[$0]?.first?.context.level.timestep ?? 0 })
  }
}
