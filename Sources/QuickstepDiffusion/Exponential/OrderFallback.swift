/// What is said about a multistep order that a run is too short for.
enum OrderFallback {
  /// A sentence where the order is above the number of steps; nothing where it is not.
  /// - Parameters:
  ///   - solver: its name.
  ///   - order: what was asked for.
  ///   - steps: of the run, 1 and above.
  ///   - orderOfStep: the order that the method takes the step of this index at.
  static func sentences(_ solver: String, order: Int, steps: Int, at orderOfStep: (Int) -> Int) -> [String] {
    guard order > steps, steps >= 1 else { return [] }
    let reached = (0..<steps).map(orderOfStep).max() ?? 1
    let run = steps == 1 ? "1 step" : "\(steps) steps"
    return ["\(solver) of order \(order) reaches order \(reached) at most in \(run); higher ones take more steps"]
  }
}

extension MultistepOrders {
  /// What is said about runs of fewer steps than the order.
  func fallbacks(_ solver: String, order: Int, steps: Int) -> [String] {
    OrderFallback.sentences(solver, order: order, steps: steps) { self.order($0, of: steps, greatest: order) }
  }
}

extension DPMMultistep {
  /// What is said about runs of fewer steps than the order.
  func fallbacks(_ solver: String, steps: Int) -> [String] { orders.fallbacks(solver, order: order, steps: steps) }
}
