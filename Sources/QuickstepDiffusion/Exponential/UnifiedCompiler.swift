import Foundation
import QuickstepNN

/// Writes the table of a list of ``PlannedStep``s.
struct UnifiedCompiler {
  private var table: TableauBuilder
  private var visits: [Visit]
  private let stored: [Int: Set<PredictionKind>]
  private let plan: [PlannedStep]

  /// - Throws: ``TableauError`` naming the step whose decision cannot be carried out.
  static func compile(_ plan: [PlannedStep], solver: String, grid: Grid, skipsFirstEvaluation: Bool = false) throws -> Tableau {
    try PlanCheck.check(plan, solver: solver)
    var compiler = UnifiedCompiler(plan, solver: solver, grid: grid)
    if skipsFirstEvaluation { compiler.visits[0].denoised = LinearForm() }
    for index in plan.indices { compiler.step(index) }
    return try compiler.table.build()
  }

  private init(_ plan: [PlannedStep], solver: String, grid: Grid) {
    self.plan = plan
    table = TableauBuilder(solver: solver, grid: grid)
    visits = [Visit(level: grid.levels[0], state: table.initial)]
    stored = Self.storedPredictions(plan)
  }

  private mutating func step(_ index: Int) {
    if index > 0, let corrector = plan[index - 1].decision.corrector { correct(corrector, of: index - 1) }
    if visits[index].denoised == nil { visits[index].denoised = LinearForm(table.evaluate(visits[index].state, at: visits[index].level)) }
    store(index)
    let (step, decision) = (plan[index], plan[index].decision)
    let form = taylor(
      decision.prediction, start: index - decision.start, to: step.landing, derivatives: decision.derivatives, newest: index,
      eta: decision.eta)
    let noise = step.addedNoise > 0 ? step.addedNoise : form.noise * decision.noiseScale
    let sum = form.sum + anchored(decision, index, to: step.landing)
    let state = table.combine(sum, noise: noise, to: step.level, finishing: step.finishesStep)
    visits.append(Visit(level: step.level, state: state))
  }

  /// Computes the state of visit `index` + 1 once more, with the prediction that was made there.
  private mutating func correct(_ corrector: Corrector, of index: Int) {
    let new = index + 1
    let start = index - corrector.start
    // A step of infinite length has no slope, and the state stays as it was predicted.
    guard visits[start].level.alpha > 0 || plan[index].decision.prediction == .velocity else { return }
    visits[new].denoised = LinearForm(table.evaluate(visits[new].state, at: visits[new].level))
    let decision = plan[index].decision
    let form = taylor(
      decision.prediction, start: start, to: visits[new].level, derivatives: corrector.derivatives, newest: index, eta: decision.eta)
    visits[new].continued = table.combine(form.sum, to: visits[new].level, finishing: false)
    if corrector.kind == .implicit {
      visits[new].state = visits[new].continued
      visits[new].denoised = nil
    }
  }

  /// The Taylor step: the exact step for a fixed prediction, and one term for each estimated derivative.
  private func taylor(
    _ kind: PredictionKind, start index: Int, to level: NoiseLevel, derivatives: [DerivativeEstimate], newest: Int, eta: Double
  ) -> (sum: LinearForm, noise: Double) {
    let start = visits[index]
    guard let step = ExponentialStep(kind, from: start.level, to: level, eta: eta) else { return firstOrder(start, to: level, eta: eta) }
    var sum = LinearForm()
    if eta == 0, !start.isCorrected {
      // All kinds agree here; written on x̂0 the table has the bits of the first-order solvers.
      sum = firstOrder(start, to: level, eta: 0).sum
    } else {
      sum = step.state * LinearForm(start.continued)
      for part in step.parts { sum += step.weight(0, part) * start.value(part.kind) }
    }
    for part in step.parts {
      for (order, estimate) in zip(1..., derivatives) {
        sum += slope(order, estimate, part, step, start: index, newest: newest)
      }
    }
    return (sum, step.noise)
  }

  /// One term of the Taylor step. Points at pure noise are infinitely far away and count for nothing.
  private func slope(
    _ order: Int, _ estimate: DerivativeEstimate, _ part: ExponentialStep.Part, _ step: ExponentialStep, start: Int, newest: Int
  ) -> LinearForm {
    let origin = part.kind.coordinate(visits[start].level)
    let points = estimate.points.map { newest - $0 }
    let near = points.filter { part.kind.coordinate(visits[$0].level).isFinite }
    guard near.count >= order else { return LinearForm() }
    let weights = derivativeStencil(order, offsets: near.map { part.kind.coordinate(visits[$0].level) - origin })
    let scale = step.weight(order, part) * estimate.factor * estimate.relaxation.factor(h: step.h, z: part.z)
    var sum = LinearForm()
    let base = visits[start].value(part.kind)
    for (weight, point) in zip(weights, near) { sum += scale * weight * (visits[point].value(part.kind) - base) }
    return sum
  }

  /// The step that holds the prediction fixed; the only one there is from pure noise and to clean data.
  private func firstOrder(_ start: Visit, to level: NoiseLevel, eta: Double) -> (sum: LinearForm, noise: Double) {
    let step = FirstOrderStep(from: start.level, to: level, eta: eta == 0 ? 0 : 1)
    let sum = step.state * LinearForm(start.continued) + step.denoised * (start.denoised ?? LinearForm())
    return (sum, step.noise)
  }

  /// What an anchor adds: −(α'σ/α − σ')·c·(ε̂ − ε̂_τ), whichever prediction the step is written in.
  private func anchored(_ decision: UnifiedStep, _ index: Int, to level: NoiseLevel) -> LinearForm {
    guard let anchor = decision.anchor, anchor.strength != 0 else { return LinearForm() }
    let start = visits[index - decision.start]
    let point = anchor.point == .first ? 0 : index - decision.start - 1
    guard start.level.alpha > 0, point >= 0, point < index - decision.start else { return LinearForm() }
    let weight = -(level.alpha * start.level.sigma / start.level.alpha - level.sigma) * anchor.strength
    return weight * (start.value(.epsilon) - visits[point].value(.epsilon))
  }

  /// Gives predictions a register of their own that later steps need: one register then stands for a state and an x̂0.
  private mutating func store(_ index: Int) {
    for kind in (stored[index] ?? []).sorted(by: { "\($0)" < "\($1)" }) {
      let register = table.combine(visits[index].value(kind), to: visits[index].level, finishing: false)
      visits[index].stored[kind] = register
    }
  }

  /// The predictions besides x̂0 that are read when the state they belong to is no longer held for its own sake.
  private static func storedPredictions(_ plan: [PlannedStep]) -> [Int: Set<PredictionKind>] {
    var stored: [Int: Set<PredictionKind>] = [:]
    for (index, step) in plan.enumerated() {
      let decision = step.decision
      let corrected = index > 0 && plan[index - 1].decision.corrector?.kind == .pseudo
      for kind in decision.prediction.parts where kind != .denoised {
        let corrector = decision.corrector?.derivatives.flatMap(\.points) ?? []
        for point in decision.derivatives.flatMap(\.points).filter({ $0 > 0 }) + corrector.filter({ $0 > 0 }) {
          stored[index - point, default: []].insert(kind)
        }
        if corrected { stored[index, default: []].insert(kind) }
      }
      if let anchor = decision.anchor, anchor.strength != 0 {
        let point = anchor.point == .first ? 0 : index - decision.start - 1
        if point >= 0 { stored[point, default: []].insert(.epsilon) }
      }
    }
    return stored
  }
}

extension PredictionKind {
  /// The predictions it is made of.
  var parts: [PredictionKind] { if case .blend = self { [.denoised, .epsilon] } else { [self] } }
}
