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
}
