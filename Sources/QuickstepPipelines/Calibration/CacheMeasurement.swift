public import QuickstepAcceleration
internal import QuickstepDiffusion
internal import QuickstepNN

/// Measures full runs of a model for caches that decide by what was measured.
public struct CacheMeasurement: Sendable {
  /// What the runs are made of: prompts, seeds, solver, steps, guidance. What is measured holds for runs of this kind.
  public var request: GenerationRequest
  /// What is measured.
  public var kind: CacheCalibration.Kind
  /// Degree of the polynomial of ``CacheCalibration/Kind/changes``.
  public var degree = 4
  /// Evaluations between outputs that are compared for ``CacheCalibration/Kind/differences``, at most.
  public var longestLag = 3
  /// Runs made at once.
  public var batch = 8
  /// Called with what is being done and the fraction that is done.
  public var progress: (@Sendable (String, Double) -> Void)?

  /// Full runs of `request`.
  public init(_ request: GenerationRequest, kind: CacheCalibration.Kind) { (self.request, self.kind) = (request, kind) }

  /// Makes the runs.
  /// - Throws: `GenerationError` for numbers that do not fit together; `AccelerationError` where nothing could be measured; what generating
  ///   throws.
  public func measure(_ model: LoadedModel) throws -> CacheCalibration {
    guard request.prompts.count >= 1, batch >= 1, degree >= 1, longestLag >= 1 else {
      throw GenerationError(
        "\(request.prompts.count) runs in batches of \(batch), degree \(degree), lags up to \(longestLag); allowed: 1 and above")
    }
    let sums = CalibrationSums(kind, longestLag: longestLag)
    let pipeline = ImagePipeline(model)
    for start in stride(from: 0, to: request.prompts.count, by: batch) {
      let range = start..<min(start + batch, request.prompts.count)
      var part = request
      (part.prompts, part.seeds, part.batch) = (Array(request.prompts[range]), Array(request.seeds[range]), range.count)
      (part.stopsAtLatents, part.observers) = (true, [sums])
      _ = try pipeline.generate(part)
      progress?("full runs", Double(range.upperBound) / Double(request.prompts.count))
    }
    let (outline, evaluations) = (try pipeline.outline(of: request), try pipeline.evaluations(of: request))
    // Evaluations of chains are not in the outline.
    let timesteps = outline.evaluations == evaluations ? outline.calls.map(\.level.timestep) : nil
    var result = CacheCalibration(
      kind: kind, model: model.name, fingerprint: model.fingerprint, evaluations: evaluations, samples: request.prompts.count,
      guidanceScale: outline.identity?.guidanceScale, solver: outline.identity?.solver, timesteps: timesteps)
    try result.take(sums.findings, degree: degree)
    return result
  }
}

extension CacheCalibration {
  /// Sums in the form that methods take.
  fileprivate mutating func take(_ findings: CalibrationSums.Findings, degree: Int) throws {
    switch kind {
    case .changes:
      let points = findings.changes.map { (x: $0.input, y: $0.output) }
      guard let smallest = points.map(\.x).min(), let largest = points.map(\.x).max() else {
        throw AccelerationError("'\(model)' shows no modulated input of a first block, or its runs are of one evaluation")
      }
      let fit = try PolynomialFit(points, degree: degree)
      (coefficients, explained, range) = (fit.coefficients, fit.explained, [smallest, largest])
    case .magnitudes:
      guard !findings.ratios.isEmpty else { throw AccelerationError("'\(model)' is no list of blocks, or its runs are of one evaluation") }
      ratios = (0..<evaluations).map { index in findings.ratios[index].map { $0.sum / Double($0.count) } ?? 1 }
    case .differences:
      guard !findings.differences.isEmpty else { throw AccelerationError("'\(model)' has no attention or feed-forward modules") }
      differences = findings.differences.mapValues { lags in
        (1...(lags.keys.max() ?? 1)).map { lag in
          let values = lags[lag] ?? [:]
          return (0..<max(0, evaluations - lag)).map { index in values[index].map { $0.sum / Double($0.count) } ?? .greatestFiniteMagnitude
          }
        }
      }
    }
  }
}
