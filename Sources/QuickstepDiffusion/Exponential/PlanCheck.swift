import QuickstepNN

/// Checks that a list of steps can be carried out, before anything is computed.
enum PlanCheck {
  /// Taylor terms beyond this have no use and lose their digits.
  static let greatestOrder = 6

  /// - Throws: ``TableauError`` naming solver, step and decision.
  static func check(_ plan: [PlannedStep], solver: String, hasStatistics: Bool) throws {
    guard !plan.isEmpty else { throw TableauError("solver '\(solver)' decides no steps; allowed: 1 and above") }
    for (index, step) in plan.enumerated() {
      let decision = step.decision
      func fail(_ problem: String) -> TableauError { TableauError("step \(index) of solver '\(solver)' \(problem)") }
      guard (0...index).contains(decision.start) else {
        throw fail("begins at the state of age \(decision.start); \(index + 1) states exist there (ages 0…\(index))")
      }
      guard decision.prediction != .statistics || hasStatistics else {
        throw fail("takes its prediction in the basis of a model's statistics; give 'statistics', made by 'quickstep calibrate statistics'")
      }
      guard (0...1).contains(decision.eta) else { throw fail("has eta \(decision.eta); allowed: 0…1") }
      guard decision.noiseScale.isFinite, decision.noiseScale >= 0 else { throw fail("multiplies its noise by \(decision.noiseScale)") }
      if decision.eta > 0, ![.denoised, .epsilon].contains(decision.prediction) {
        throw fail("adds noise (eta \(decision.eta)) to a step in '\(decision.prediction)'; allowed: denoised, epsilon")
      }
      try check(decision.order, decision.derivatives, start: decision.start, ages: 0...index, fail)
      guard let corrector = decision.corrector else { continue }
      guard index + 1 < plan.count else { throw fail("has a corrector; no evaluation follows the last step that could correct it") }
      guard decision.eta == 0 else { throw fail("has a corrector and eta \(decision.eta); correctors need eta 0") }
      guard step.finishesStep, step.landing == step.level, step.addedNoise == 0 else {
        throw fail("has a corrector, but ends between two levels of the grid or adds noise")
      }
      guard (0...index).contains(corrector.start) else {
        throw fail("is corrected from the state of age \(corrector.start); ages 0…\(index) exist there")
      }
      try check(corrector.order, corrector.derivatives, start: corrector.start, ages: -1...index, fail)
    }
  }

  private static func check(
    _ order: Int, _ derivatives: [DerivativeEstimate], start: Int, ages: ClosedRange<Int>, _ fail: (String) -> TableauError
  ) throws {
    guard (1...greatestOrder).contains(order) else { throw fail("has order \(order); allowed: 1…\(greatestOrder)") }
    guard derivatives.count == order - 1 else {
      throw fail("has order \(order) and \(derivatives.count) estimates of derivatives; \(order - 1) are needed")
    }
    for (degree, estimate) in zip(1..., derivatives) {
      guard estimate.points.count >= degree else {
        throw fail("estimates derivative \(degree) from \(estimate.points.count) points; \(degree) or more are needed")
      }
      guard Set(estimate.points).count == estimate.points.count, !estimate.points.contains(start) else {
        throw fail(
          "estimates derivative \(degree) from points \(estimate.points), of which each may occur once and \(start), the start, not")
      }
      for point in estimate.points where !ages.contains(point) {
        throw fail("estimates derivative \(degree) from the evaluation of age \(point); allowed: \(ages.lowerBound)…\(ages.upperBound)")
      }
      guard estimate.factor.isFinite else { throw fail("multiplies derivative \(degree) by \(estimate.factor)") }
    }
  }
}
