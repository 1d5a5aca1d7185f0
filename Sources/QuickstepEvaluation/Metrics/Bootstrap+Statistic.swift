internal import QuickstepTensor

extension Bootstrap {
  /// Any figure of a set, with its interval: whole groups are drawn and the figure is taken of what was drawn.
  ///
  /// Give the difference between two runs that were measured on the same things, and the interval is that of the paired bootstrap: figures of sets
  /// such as Fréchet distances have no value per picture. Beware that such figures grow with repetitions among the pictures: the interval of one
  /// lies too high, while in a difference this mostly cancels.
  /// - Parameters:
  ///   - count: things, at least 1.
  ///   - groups: for each which group it belongs to; by default every one is a group of its own.
  ///   - figure: of the things with these numbers, some of them more than once. It is called ``resamples`` times and once more.
  /// - Throws: ``EvaluationError`` when the settings are out of range or a figure is not finite; what `figure` throws.
  public func figure(count: Int, groups: [Int]? = nil, _ figure: ([Int]) throws -> Double) throws -> Estimate {
    try checkSettings()
    guard count >= 1 else { throw EvaluationError("there is nothing to take a figure of") }
    let groups = groups ?? Array(0..<count)
    guard groups.count == count else { throw EvaluationError("\(count) things and \(groups.count) group numbers") }
    let members = Dictionary(grouping: 0..<count) { groups[$0] }.sorted { $0.key < $1.key }.map(\.value)
    func checked(_ places: [Int]) throws -> Double {
      let value = try figure(places)
      guard value.isFinite else { throw EvaluationError("a figure of resampled pictures is \(value)") }
      return value
    }
    let generator = try Generator(seed: seed)
    let values = try (0..<resamples).map { _ in
      let drawn = try withTensorErrors { Tensor.randint(0, high: members.count, size: [members.count], generator: generator) }
      return try checked(drawn.scalars(Int.self).flatMap { members[$0] })
    }.sorted()
    let tail = (1 - confidence) / 2
    return Estimate(
      value: try checked(Array(0..<count)), lower: Self.quantile(tail, of: values), upper: Self.quantile(1 - tail, of: values),
      count: count, confidence: confidence)
  }
}
