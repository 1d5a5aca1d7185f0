/// The figure of merit of what was tried: the share of the rectangle up to the exact run's time and a worst loss that some way dominates.
struct FrontArea: Sendable {
  /// Predicted seconds of the exact run, and the loss beyond which nothing is gained.
  let exactSeconds: Double, worstLoss: Double

  /// The worst loss is the measure's own, or where it has none that of the exact run with the fewest steps tried.
  init(_ tried: [TuningResult.Tried], measure: QualityMeasure, exactSeconds: Double) {
    self.exactSeconds = exactSeconds
    let plain = tried.filter { $0.settings.singleName == "" }.map(\.loss).max()
    worstLoss = measure.worstLoss ?? plain.flatMap { $0 > 0 ? $0 : nil } ?? .greatestFiniteMagnitude
  }

  /// Whether a way is worth a second look.
  func holds(_ entry: TuningResult.Tried) -> Bool { entry.seconds < exactSeconds && entry.loss <= worstLoss }

  /// The dominated share, 0…1.
  func share(_ tried: [TuningResult.Tried]) -> Double {
    var (sum, edge) = (0.0, worstLoss)
    for entry in TuningResult.front(tried) where entry.seconds < exactSeconds && entry.loss < edge {
      sum += (exactSeconds - entry.seconds) * ((edge - entry.loss) / worstLoss)
      edge = entry.loss
    }
    return sum / exactSeconds
  }

  /// Of ways that change one thing, by its name, the dominated shares, the largest first. A method may be left out, so its front holds fewer steps
  /// as well.
  func singles(_ tried: [TuningResult.Tried]) -> [(name: String, share: Double)] {
    let named = tried.compactMap { entry in entry.settings.singleName.map { ($0, entry) } }
    let groups = Dictionary(grouping: named, by: \.0).mapValues { $0.map(\.1) }
    let shares = groups.filter { !$0.key.isEmpty }.map { ($0.key, share($0.value + (groups[""] ?? []))) }
    return shares.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
  }

  func volumes(_ tried: [TuningResult.Tried]) -> TuningResult.Volumes {
    let best = singles(tried).first
    return .init(
      joint: share(tried), single: best?.share ?? 0, singleName: best?.name ?? "none",
      fewerSteps: share(tried.filter { $0.settings.singleName == "" }))
  }
}
