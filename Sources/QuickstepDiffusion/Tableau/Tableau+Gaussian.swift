import QuickstepNN

extension Tableau {
  /// Mean and variance of the final state for data N(mean, deviation²), started from the exact marginal: every register is an affine
  /// function of the independent unit normals, so both come out in closed form, without a single random number.
  public func moments(mean: Double, deviation: Double) -> (mean: Double, variance: Double) {
    // A register is (constant, factor of each unit normal); number 0 is the start's.
    func affine(_ terms: [(Double, [Double])]) -> [Double] {
      let length = terms.map(\.1.count).max() ?? 0
      return (0..<length).map { i in terms.reduce(0) { $0 + $1.0 * (i < $1.1.count ? $1.1[i] : 0) } }
    }
    func posterior(_ state: [Double], _ level: NoiseLevel) -> [Double] {
      let (a, s) = (level.alpha, level.sigma)
      let variance = a * a * deviation * deviation + s * s
      return affine([(a * deviation * deviation / variance, state), (s * s * mean / variance, [1])])
    }
    let a = initialLevel.alpha
    var states = [[a * mean, (a * a * deviation * deviation + initialLevel.sigma * initialLevel.sigma).squareRoot()]]
    var predictions: [[Double]] = []
    for row in rows {
      if let call = row.evaluation { predictions.append(posterior(states[call.state], call.level)) }
      states.append(
        affine(
          row.terms.map { term in
            switch term.register {
            case .state(let k): (term.coefficient.scalar, states[k])
            case .denoised(let e): (term.coefficient.scalar, predictions[e])
            case .noise(let j): (term.coefficient.scalar, [Double](repeating: 0, count: j + 2) + [1])
            case .one: (term.coefficient.scalar, [1])
            }
          }))
    }
    let last = states[states.count - 1]
    return (last[0], last.dropFirst().reduce(0) { $0 + $1 * $1 })
  }
}
