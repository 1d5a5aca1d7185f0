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
  /// Tables of more evaluations have no figure, which takes memory and time with the square of their number.
  public static let greatestCount = 2000
}

extension Tableau {
  /// The greatest amplification among all evaluations and what they move; `nil` above ``Amplification/greatestCount`` evaluations.
  ///
  /// The table is linear, so d(state)/d(error of a prediction) is computed row by row. A later prediction answers to a moved state as that of
  /// the best linear denoiser for normal data of unit variance does, by α/(α² + σ²), and it errs by that data's posterior deviation,
  /// σ/√(α² + σ²): by 1 where there is no signal, by little where there is little noise. Formulas in σ/α that look at the end of a first step
  /// from next to no signal divide a difference that is mostly error by the small new τ, and multiply it by the long way; here that is a
  /// number in the thousands. Coefficients by element count with their mean.
  public var amplification: Amplification? {
    guard evaluationCount <= Amplification.greatestCount else { return nil }
    var found: (factor: Double, source: Int, target: Int?, level: NoiseLevel) = (0, 0, nil, initialLevel)
    // An error of all that an input leaves open is the posterior deviation, σ/√(α² + σ²).
    let last = followErrors(of: { $0.sigma / $0.spread }) { state, target, level in
      for source in state.indices where abs(state[source]) > found.factor * level.spread {
        found = (abs(state[source]) / level.spread, source, target, level)
      }
    }
    let sources = rows.compactMap { $0.evaluation?.level }
    if let level = rows.last?.level {
      for source in last.indices where abs(last[source]) > found.factor * level.spread {
        found = (abs(last[source]) / level.spread, source, nil, level)
      }
    }
    return Amplification(
      factor: found.factor, source: found.source, sourceLevel: sources.isEmpty ? initialLevel : sources[found.source],
      target: found.target, targetLevel: found.level)
  }

  /// How far each evaluation's prediction x̂0 moves the final state: |d(final state)/d(prediction)| by evaluation, with later predictions answering
  /// as in ``amplification``. What an error of a prediction costs, for whoever chooses where to err.
  public var influences: [Double] { followErrors(of: { _ in 1 }) { _, _, _ in }.map(abs) }

  /// Carries errors of predictions through the table.
  /// - Parameters:
  ///   - error: of a prediction at a level.
  ///   - seen: told of every state that an evaluation sees: its derivatives by the errors so far, the evaluation, the level.
  /// - Returns: derivatives of the final state by the evaluations' errors.
  private func followErrors(of error: (NoiseLevel) -> Double, seen: ([Double], Int, NoiseLevel) -> Void) -> [Double] {
    let count = evaluationCount
    var states = [[Double](repeating: 0, count: count)]
    var predictions: [[Double]] = []
    for row in rows {
      if let call = row.evaluation {
        seen(Array(states[call.state].prefix(predictions.count)), predictions.count, call.level)
        var prediction = states[call.state].map { call.level.alpha / (call.level.spread * call.level.spread) * $0 }
        prediction[predictions.count] += error(call.level)
        predictions.append(prediction)
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
    return states[states.count - 1]
  }
}

extension NoiseLevel {
  /// √(α² + σ²): the deviation of states whose data have unit variance.
  fileprivate var spread: Double { (alpha * alpha + sigma * sigma).squareRoot() }
}
