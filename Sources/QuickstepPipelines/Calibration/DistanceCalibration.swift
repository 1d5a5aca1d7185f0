public import QuickstepAcceleration

/// Measures the distances that schedules of ``QuickstepAcceleration/CacheQuant`` are made from, for runs of any length.
public struct DistanceCalibration: Sendable {
  /// What the full runs are made of; their evaluations have to fall in time.
  public var request: GenerationRequest
  /// What is kept; `nil` takes everything deeper than the outermost skip connection of a U-Net, and of other networks what their blocks add.
  public var point: CacheCorrection.Point?
  /// Runs made at once.
  public var batch = 4

  /// Of runs of `request`.
  public init(_ request: GenerationRequest) { self.request = request }

  /// - Throws: `GenerationError` for numbers that do not fit together and networks without such a point; `AccelerationError` where evaluations do
  ///   not fall in time; what generating throws.
  public func measure(_ model: LoadedModel) throws -> CacheDistances {
    guard batch >= 1, !request.prompts.isEmpty, request.accelerations.isEmpty else {
      throw GenerationError(
        "\(request.prompts.count) runs in batches of \(batch) with \(request.accelerations.count) methods of acceleration; "
          + "allowed: 1 and above, 1 and above, 0")
    }
    let recorder = try PointRecorder(model, point: point)
    var distances: CacheDistances?
    for start in stride(from: 0, to: request.prompts.count, by: batch) {
      let range = start..<min(start + batch, request.prompts.count)
      let recorded = try recorder.record(request, range)
      var sums = try distances ?? CacheDistances(point: recorder.point, timesteps: recorded.timesteps)
      try sums.add(recorded.values, share: Double(range.count) / Double(request.prompts.count))
      distances = sums
    }
    guard let distances else { throw GenerationError("no run was recorded") }
    return distances
  }
}
