internal import QuickstepTensor

/// Measures a set of pictures, part by part: of pictures only one batch is in memory at a time; what is kept are values and features.
public struct PictureEvaluation: Sendable {
  /// What one metric gave.
  public struct Result: Sendable {
    /// The figure with its interval.
    public let figure: Figure
    /// What the metric says about itself.
    public let declaration: MetricDeclaration
    /// One value per picture, for metrics that have them: what ``PairedDifference`` takes.
    public let values: [Double]
    /// What should be known beside it; empty for nothing.
    public let note: String
  }

  /// Ones of ``AllMetrics``, made.
  public let metrics: [any Metric]
  /// Pictures in memory at once.
  public let batch: Int
  /// How intervals are made.
  public let bootstrap: Bootstrap

  /// - Parameters:
  ///   - metrics: at least one.
  ///   - batch: pictures in memory at once, at least 1.
  ///   - bootstrap: how intervals are made.
  /// - Throws: ``EvaluationError`` when there is no metric or the batch is not positive.
  public init(metrics: [any Metric], batch: Int = 16, bootstrap: Bootstrap = Bootstrap()) throws {
    guard !metrics.isEmpty else { throw EvaluationError("there is no metric to measure") }
    guard batch >= 1 else { throw EvaluationError("the batch is \(batch); it must be at least 1") }
    (self.metrics, self.batch, self.bootstrap) = (metrics, batch, bootstrap)
  }

  /// Why a metric cannot be measured on these; `nil` when it can.
  public static func obstacle(
    _ declaration: MetricDeclaration, pictures: any PictureSource, reference: (any PictureSource)?
  ) -> String? {
    let name = "metric '\(declaration.name)'"
    if declaration.kind == .prompted, pictures.prompts.isEmpty {
      return "\(name) needs the prompt of every picture, and \(pictures.origin) does not say them (metadata.jsonl)"
    }
    if declaration.kind != .prompted, reference == nil { return "\(name) needs a reference" }
    if declaration.kind == .paired, let reference {
      if let problem = mismatch(pictures, reference) { return "\(name) compares pairs, but \(problem)" }
    }
    if min(pictures.width, pictures.height) < declaration.smallestSide {
      return
        "\(name) needs sides of at least \(declaration.smallestSide) pixels; \(pictures.origin) has \(pictures.width)×\(pictures.height)"
    }
    let sets = declaration.kind == .set ? [pictures, reference].compactMap { $0 } : [pictures]
    if let small = sets.first(where: { $0.count < declaration.smallestCount }) {
      return "\(name) needs at least \(declaration.smallestCount) pictures; \(small.origin) has \(small.count)"
    }
    return nil
  }

  /// Whether both hold pictures of the same names and sizes.
  public static func arePairs(_ pictures: any PictureSource, _ reference: any PictureSource) -> Bool {
    mismatch(pictures, reference) == nil
  }

  private static func mismatch(_ pictures: any PictureSource, _ reference: any PictureSource) -> String? {
    guard (pictures.width, pictures.height) == (reference.width, reference.height) else {
      return
        "\(pictures.origin) has \(pictures.width)×\(pictures.height) pixels and \(reference.origin) \(reference.width)×\(reference.height)"
    }
    let (own, others) = (Set(pictures.names), Set(reference.names))
    if let lonely = pictures.names.first(where: { !others.contains($0) }) { return "\(reference.origin) holds no '\(lonely)'" }
    return reference.names.first { !own.contains($0) }.map { "\(pictures.origin) holds no '\($0)'" }
  }

  /// Measures everything in one pass over the pictures, and a second one over references of other names.
  /// - Parameter progress: told what is done, as a share in 0…1.
  /// - Throws: ``EvaluationError`` when a metric cannot be measured on these, before any picture is read; `FormatError`, `TensorError`.
  public func run(
    _ pictures: any PictureSource, reference: (any PictureSource)? = nil, progress: (Double) throws -> Void = { _ in }
  ) throws -> [Result] {
    for metric in metrics {
      if let problem = Self.obstacle(metric.demands, pictures: pictures, reference: reference) { throw EvaluationError(problem) }
    }
    var collected = Collected(count: metrics.count)
    let nets = distinctNets
    let hasPairs = metrics.contains { $0 is any PairedMetric }
    let passes = nets.isEmpty || reference == nil ? 1.0 : 2.0
    let places = Dictionary(uniqueKeysWithValues: (reference?.names ?? []).enumerated().map { ($1, $0) })
    for start in stride(from: 0, to: pictures.count, by: batch) {
      let range = start..<min(start + batch, pictures.count)
      let part = try pictures.pictures(range)
      var other: Tensor?
      if hasPairs, let reference {
        let rows = try range.map { try reference.pictures(single: places[pictures.names[$0]] ?? 0) }
        other = try withTensorErrors { Tensor.cat(rows) }
      }
      for (index, metric) in metrics.enumerated() {
        if let paired = metric as? any PairedMetric, let other { collected.values[index] += try paired.values(part, other) }
        if let prompted = metric as? any PromptMetric {
          collected.values[index] += try prompted.values(part, prompts: Array(pictures.prompts[range]))
        }
      }
      for net in nets { collected.features[net.name, default: []].append(try net.features(of: part, pictures.origin)) }
      try progress(Double(range.upperBound) / Double(pictures.count) / passes)
    }
    if let reference, !nets.isEmpty {
      for start in stride(from: 0, to: reference.count, by: batch) {
        let range = start..<min(start + batch, reference.count)
        let part = try reference.pictures(range)
        for net in nets { collected.others[net.name, default: []].append(try net.features(of: part, reference.origin)) }
        try progress(0.5 + Double(range.upperBound) / Double(reference.count) / 2)
      }
    }
    return try results(collected, pictures, reference)
  }

  private struct Collected {
    var values: [[Double]]
    var features: [String: [Tensor]] = [:]
    var others: [String: [Tensor]] = [:]
    init(count: Int) { values = Array(repeating: [], count: count) }
  }

  private var distinctNets: [any FeatureNet] {
    metrics.compactMap { ($0 as? any SetMetric)?.net }.reduce(into: []) { nets, net in
      if !nets.contains(where: { $0.name == net.name }) { nets.append(net) }
    }
  }

  private func results(_ collected: Collected, _ pictures: any PictureSource, _ reference: (any PictureSource)?) throws -> [Result] {
    var sets: [String: FeatureSets] = [:]
    for (name, parts) in collected.features {
      let (own, others) = (parts, collected.others[name] ?? [])
      sets[name] = try FeatureSets(withTensorErrors { Tensor.cat(own) }, reference: withTensorErrors { Tensor.cat(others) })
    }
    let groups = pictures.promptGroups
    return try metrics.enumerated().compactMap { index, metric in
      if let metric = metric as? any SetMetric, let features = sets[metric.net.name], let reference {
        let measured = try metric.measure(features, bootstrap)
        return result(
          metric, measured.value, measured.interval, "\(metric.procedure); to \(reference.count) pictures", pictures.count,
          note: measured.note)
      }
      let values = collected.values[index]
      guard !values.isEmpty else { return nil }
      let estimate = try bootstrap.mean(values, groups: groups)
      let prompted = metric as? any PromptMetric
      let shown = prompted.map { metric in metric.summarised } ?? { $0 }
      return result(
        metric, shown(estimate.value), shown(estimate.lower)...shown(estimate.upper), metric.procedure, values.count, values: values,
        note: prompted?.note(pictures.prompts) ?? "")
    }
  }

  private func result(
    _ metric: any Metric, _ value: Double, _ interval: ClosedRange<Double>?, _ procedure: String, _ count: Int, values: [Double] = [],
    note: String = ""
  ) -> Result {
    var figure = Figure(metric: metric.figure, value: value, interval: interval, count: count, procedure: procedure, seconds: 0)
    figure.isShare = metric.declaration.isShare
    return Result(figure: figure, declaration: metric.declaration, values: values, note: note)
  }
}

extension PictureSource {
  /// For each picture which prompt it belongs to, as numbers; `nil` where prompts are not known and each stands for itself.
  public var promptGroups: [Int]? {
    guard !prompts.isEmpty else { return nil }
    var known: [String: Int] = [:]
    return prompts.map { prompt in
      let group = known[prompt] ?? known.count
      known[prompt] = group
      return group
    }
  }
}

extension Metric {
  /// What its type says about itself.
  public var declaration: MetricDeclaration { Self.declaration }
}

extension PictureSource {
  func pictures(single index: Int) throws -> Tensor { try pictures(index..<(index + 1)) }
}

extension FeatureNet {
  /// Features of `[B, 3, H, W]`; a net for grey pictures gets one channel, and refuses coloured ones.
  func features(of pictures: Tensor, _ origin: String) throws -> Tensor {
    guard channels == 1 else { return try features(pictures, batch: pictures.size(0)) }
    let grey = try withTensorErrors { pictures.narrow(1, start: 0, length: 1) }
    let colour = try withTensorErrors { (pictures - grey).abs().max() }.item()
    guard colour == 0 else { throw EvaluationError("\(name) takes grey pictures; \(origin) holds coloured ones") }
    return try features(grey, batch: pictures.size(0))
  }
}
