public import QuickstepNN

/// How far one wrong prediction moves what is computed after it.
public struct Amplification: Hashable, Sendable {
  /// Distance in spreads √(α² + σ²) of the state that is moved most, for a prediction that errs by all that its input leaves open.
  public let factor: Double
  /// The evaluation that errs.
  public let source: Int
  /// Where it is evaluated.
  public let sourceLevel: NoiseLevel
  /// The evaluation that sees the state; `nil` for the final state.
  public let target: Int?
  /// The level of that state.
  public let targetLevel: NoiseLevel

  /// Runs on `digits` that came out like their neighbours have 3.7 and less, those that failed 4.2 and more (see article "Tableaux").
  public static let limit = 4.0
}

extension Tableau {
  /// The greatest amplification among all evaluations and what they move.
  ///
  /// The table is linear, so d(state)/d(error of a prediction) is computed row by row. A later prediction answers to a moved state as that of
  /// the best linear denoiser for normal data of unit variance does, by α/(α² + σ²), and it errs by that data's posterior deviation,
  /// σ/√(α² + σ²): by 1 where there is no signal, by little where there is little noise. Formulas in σ/α that look at the end of a first step
  /// from next to no signal divide a difference that is mostly error by the small new τ, and multiply it by the long way; here that is a
  /// number in the thousands. Coefficients by element count with their mean.
  public var amplification: Amplification {
    let count = evaluationCount
    var states = [[Double](repeating: 0, count: count)]
    var predictions: [[Double]] = []
    var sources: [NoiseLevel] = []
    var found: (factor: Double, source: Int, target: Int?, level: NoiseLevel) = (0, 0, nil, initialLevel)
    func measure(_ state: [Double], _ target: Int?, _ level: NoiseLevel) {
      let spread = (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()
      for source in predictions.indices where abs(state[source]) > found.factor * spread {
        found = (abs(state[source]) / spread, source, target, level)
      }
    }
    for row in rows {
      if let call = row.evaluation {
        let level = call.level
        measure(states[call.state], predictions.count, level)
        let variance = level.alpha * level.alpha + level.sigma * level.sigma
        var prediction = states[call.state].map { level.alpha / variance * $0 }
        prediction[predictions.count] += level.sigma / variance.squareRoot()
        predictions.append(prediction)
        sources.append(level)
      }
      var state = [Double](repeating: 0, count: count)
      for term in row.terms {
        let (value, factor): ([Double], Double)
        switch term.register {
        case .state(let index): (value, factor) = (states[index], term.coefficient.scalar)
        case .denoised(let index): (value, factor) = (predictions[index], term.coefficient.scalar)
        case .noise, .one: continue
        }
        // Evaluations that have not been made yet have no part in it.
        for index in predictions.indices { state[index] += factor * value[index] }
      }
      states.append(state)
    }
    if let last = rows.last { measure(states[states.count - 1], nil, last.level) }
    return Amplification(
      factor: found.factor, source: found.source, sourceLevel: sources.isEmpty ? initialLevel : sources[found.source],
      target: found.target, targetLevel: found.level)
  }
}
