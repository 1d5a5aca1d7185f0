import Foundation

/// The network of Parity/schedulers.py and its companions: the posterior mean of the mixture ½N(−1, ¼) + ½N(+1, ¼) in closed form, as a
/// function of input and timestep only.
package struct ClosedFormNetwork {
  /// `epsilon`, `sample`, `v_prediction`, `flow`; `edm`, `edm_v_prediction` and `continuous` inside a preconditioning.
  package let prediction: String
  private let variance = 0.25

  package init(prediction: String) { self.prediction = prediction }

  /// The raw output for a state of any length.
  package func callAsFunction(_ input: [Double], timestep: Double) -> [Double] {
    switch prediction {
    case "edm": preconditioned(input, sigma: exp(4 * timestep), data: 0.5, sign: 1)
    case "edm_v_prediction": preconditioned(input, sigma: exp(4 * timestep), data: 0.5, sign: -1)
    case "continuous": preconditioned(input, sigma: exp(4 * timestep), data: 1, sign: -1)
    default: input.map { output($0, level(timestep)) }
    }
  }

  private func output(_ x: Double, _ level: (alpha: Double, sigma: Double)) -> Double {
    let (a, s) = level
    let total = a * a * variance + s * s
    let clean = (a * variance * x + s * s * tanh(a * x / total)) / total
    let noise = (x - a * clean) / s
    return switch prediction {
    case "epsilon": noise
    case "sample": clean
    case "flow": noise - clean
    default: a * noise - s * clean
    }
  }

  /// F of x̂0 = c_skip·x + c_out·F(x/√(σ² + σ_data²)), the network having been told ln(σ)/4.
  private func preconditioned(_ input: [Double], sigma: Double, data: Double, sign: Double) -> [Double] {
    let squares = sigma * sigma + data * data
    let total = sigma * sigma + variance
    let out = sign * sigma * data / squares.squareRoot()
    return input.map { shown in
      let x = shown * squares.squareRoot()
      let clean = (variance * x + sigma * sigma * tanh(x / total)) / total
      return (clean - data * data / squares * x) / out
    }
  }

  /// (α, σ) close to those of scaled-linear betas, and of a straight path.
  private func level(_ timestep: Double) -> (alpha: Double, sigma: Double) {
    if prediction == "flow" { return (1 - timestep / 1000, timestep / 1000) }
    let start = 0.00085.squareRoot()
    let slope = (0.012.squareRoot() - start) / 999
    let u = timestep + 1
    let bar = exp(-(start * start * u + start * slope * u * u + slope * slope * u * u * u / 3))
    return (bar.squareRoot(), (1 - bar).squareRoot())
  }
}
