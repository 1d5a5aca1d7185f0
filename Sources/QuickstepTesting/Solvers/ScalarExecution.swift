public import QuickstepDiffusion
public import QuickstepNN

extension Tableau {
  /// Runs the table in plain Double arithmetic, register by register: the scalar twin of ``TableauExecutor``, for laws and closed forms.
  /// - Parameters:
  ///   - initial: x0, any number of elements.
  ///   - noises: z0, z1, …; missing ones count as zero.
  ///   - denoised: x̂0 of a state at a level.
  /// - Returns: the state after each finished step.
  public func runScalar(
    _ initial: [Double], noises: [[Double]] = [], denoised: ([Double], NoiseLevel) -> [Double]
  ) -> [[Double]] {
    var states = [initial]
    var predictions: [[Double]] = []
    var finished: [[Double]] = []
    let zero = [Double](repeating: 0, count: initial.count)
    for row in rows {
      if let call = row.evaluation { predictions.append(denoised(states[call.state], call.level)) }
      var sum = zero
      for term in row.terms {
        let values: [Double]
        switch term.register {
        case .state(let k): values = states[k]
        case .denoised(let e): values = predictions[e]
        case .noise(let j): values = j < noises.count ? noises[j] : zero
        case .one: values = [Double](repeating: 1, count: initial.count)
        }
        for i in sum.indices { sum[i] += term.coefficient.scalar * values[i] }
      }
      states.append(sum)
      if row.finishesStep { finished.append(sum) }
    }
    return finished
  }

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
