public import QuickstepAcceleration
internal import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepNN

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

  /// What distances count by.
  public enum Weighting: String, Sendable, CaseIterable {
    /// What an error of the evaluation's prediction does to the final state (``ImagePipeline/influences(of:)``). Ours: features move most where
    /// there is most noise, and errors there matter least.
    case influence
    /// One by the size of the values, as some call relative.
    case size
    /// All the same, as in the paper.
    case none
  }

  /// What the full runs are made of: prompts, seeds, guidance, solver, steps, size.
  public var request: GenerationRequest
  /// What is kept; `nil` takes everything deeper than the outermost skip connection of a U-Net, and of other networks what their blocks add.
  public var point: CacheCorrection.Point?
  /// Mean evaluations per full one.
  public var interval = 5
  /// Whether full evaluations are simply every `interval`-th one.
  public var isUniform = false
  /// What distances count by when full evaluations are chosen.
  public var weighting = Weighting.influence
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
    let recorder = try PointRecorder(model, point: point)
    var (statistics, timesteps): (CacheStatistics?, [Double]) = (nil, [])
    for start in stride(from: 0, to: request.prompts.count, by: batch) {
      let range = start..<min(start + batch, request.prompts.count)
      let recorded = try recorder.record(request, range)
      timesteps = recorded.timesteps
      var sums = statistics ?? CacheStatistics(evaluations: timesteps.count, reach: 2 * interval)
      try sums.add(recorded.values)
      statistics = sums
      progress?("full runs", Double(range.upperBound) / Double(request.prompts.count))
    }
    guard let statistics else { throw GenerationError("no run was recorded") }
    let weights = weighting == .influence ? try ImagePipeline(model).influences(of: request) : nil
    func distance(_ start: Int, _ evaluation: Int) -> Double {
      statistics.distance(from: start, to: evaluation, isRelative: weighting == .size) * (weights?[evaluation] ?? 1)
    }
    let uniform = CacheSchedule.uniform(count: timesteps.count, interval: interval)
    let starts = try isUniform ? uniform : CacheSchedule.starts(count: timesteps.count, interval: interval, distance: distance)
    let identity = RunIdentity(fingerprint: model.fingerprint, solver: plan.solverName, guidanceScale: plan.guidanceScale)
    let calibration = try CacheCorrection(
      statistics, starts: starts, point: recorder.point,
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
}
