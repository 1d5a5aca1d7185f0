import QuickstepNN

/// What DPM-Solver-v3 remembers, and which of it its predictor and its corrector take.
struct StatisticsHistory {
  private let step: StatisticsStep
  private var entries: [StatisticsStep.Point] = []

  init(basis: ModelStatistics, quadrature: ModelStatistics.Quadrature) { step = StatisticsStep(basis: basis, quadrature: quadrature) }

  var count: Int { entries.count }

  mutating func append(state: Register, denoised: Register, level: NoiseLevel) {
    entries.append(.init(state: state, seen: state, denoised: LinearForm(denoised), level: level))
  }

  /// The newest state was corrected; its N is kept, only the linear part changes.
  mutating func replaceState(_ state: Register) { entries[entries.count - 1].state = state }

  /// The step from the newest state to a level, by the newest `order` evaluations.
  func predicted(to level: NoiseLevel, order: Int, pseudo: Bool) -> ElementForm {
    let newest = entries.count - 1
    return form(from: newest, to: level, others: (1..<max(order, 1)).map { newest - $0 }, pseudo: pseudo)
  }

  /// The newest state made again from the one before, with the evaluation at it: the points are s, t, then older ones.
  func corrected(order: Int, pseudo: Bool) -> ElementForm {
    let (start, end) = (entries.count - 2, entries.count - 1)
    let older = (2..<max(order, 2)).map { end - $0 }
    return form(from: start, to: entries[end].level, others: [end] + older.filter { $0 >= 0 }, pseudo: pseudo)
  }

  /// n derivatives from n further points: all of them for each derivative, or k for the k-th, which makes it k! times the divided difference.
  private func form(from start: Int, to level: NoiseLevel, others: [Int], pseudo: Bool) -> ElementForm {
    let points = others.map { entries[$0] }
    let estimates = points.indices.map { StatisticsStep.Estimate(points: pseudo ? Array(points[...$0]) : points) }
    return step.form(from: entries[start], to: level, estimates)
  }
}
