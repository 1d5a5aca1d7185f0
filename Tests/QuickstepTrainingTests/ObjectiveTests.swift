import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// The denoising loss against formulas written out by hand.
@Suite struct ObjectiveTests {
  /// α and σ of a timestep, made here from the published definitions.
  private static func level(_ schedule: String, _ time: Double) -> (alpha: Double, sigma: Double) {
    if schedule == "flow" { return (1 - time / 1000, time / 1000) }
    // β from 0.0001 to 0.02 in 1000 even steps (Ho et al. 2020); cosine: Nichol & Dhariwal 2021, β at most 0.999.
    func bar(_ t: Double) -> Double { pow(cos((t + 0.008) / 1.008 * .pi / 2), 2) }
    var product = 1.0
    for index in 0...Int(time) {
      let beta =
        schedule == "linear"
        ? 0.0001 + (0.02 - 0.0001) * Double(index) / 999 : min(1 - bar(Double(index + 1) / 1000) / bar(Double(index) / 1000), 0.999)
      product *= 1 - beta
    }
    return (product.squareRoot(), (1 - product).squareRoot())
  }

  /// What a network of this kind should give for data x and noise e.
  private static func target(_ prediction: String, _ alpha: Double, _ sigma: Double, _ x: Double, _ e: Double) -> Double {
    switch prediction {
    case "epsilon": e
    case "sample": x
    case "v_prediction": alpha * e - sigma * x
    default: e - x
    }
  }

  /// Weight of the squared error of the network's own output: w(SNR)·(∂x̂0/∂output)².
  private static func weight(_ weighting: String, _ prediction: String, _ alpha: Double, _ sigma: Double, _ bound: Double) -> Double {
    if weighting == "uniform" { return 1 }
    let snr = alpha * alpha / (sigma * sigma)
    let onData = weighting == "min-snr" ? min(snr, bound) : min(snr + 1, bound)
    switch prediction {
    case "epsilon": return onData / snr
    case "sample": return onData
    case "v_prediction": return onData * pow(sigma / (alpha * alpha + sigma * sigma), 2)
    default: return onData * pow(sigma / (alpha + sigma), 2)
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let schedule, prediction, weighting: String
    var testDescription: String { "\(schedule), \(prediction), \(weighting)" }
  }

  static let cases = ["linear", "squaredcos_cap_v2", "flow"].flatMap { schedule in
    ["epsilon", "sample", "v_prediction", "flow_prediction"].flatMap { prediction in
      ["uniform", "min-snr", "velocity"].compactMap {
        schedule == "flow" && prediction == "epsilon" ? nil : Case(schedule: schedule, prediction: prediction, weighting: $0)
      }
    }
  }

  /// Runs the objective on a fixed batch with a predictor made from what it should predict, and returns loss, times and noise.
  private func run(
    _ test: Case, seed: UInt64 = 8, maximum: Double = 5, _ predict: (_ targets: [Double]) -> [Double]
  ) throws -> (loss: Double, times: [Double], targets: [Double]) {
    let objective = try DenoisingObjective(
      ObjectivePlan(schedule: test.schedule, prediction: test.prediction, weighting: test.weighting, maximum: maximum))
    let (batch, size) = (6, 4)
    let clean = Tensor.randn([batch, 1, 2, 2], generator: try Generator(seed: 1))
    let x = try clean.to(.float64).scalars(Double.self)
    // The objective draws the times first, one number per sample, and then the noise.
    let twin = try Generator(seed: seed)
    _ = Tensor.rand([batch], generator: twin)
    let noise = try Tensor.randn([batch, 1, 2, 2], generator: twin).to(.float64).scalars(Double.self)
    var times: [Double] = []
    var targets: [Double] = []
    let loss = try withTensorErrors {
      try objective.loss(clean, generator: Generator(seed: seed)) { noisy, timestep in
        times = try timestep.to(.float64).scalars(Double.self)
        let seen = try noisy.to(.float64).scalars(Double.self)
        for index in x.indices {
          let (alpha, sigma) = Self.level(test.schedule, times[index / size])
          #expect(abs(seen[index] - (alpha * x[index] + sigma * noise[index])) < 1e-5, "the noisy sample, element \(index)")
          targets.append(Self.target(test.prediction, alpha, sigma, x[index], noise[index]))
        }
        return Tensor(predict(targets).map { Float($0) }, shape: noisy.shape)
      }
    }
    return (try loss.item(), times, targets)
  }

  @Test("a predictor that knows the answer has no loss", arguments: cases)
  func oracle(_ test: Case) throws {
    #expect(try run(test) { $0 }.loss < 1e-7)
    #expect(try run(test) { $0.map { $0 + 0.1 } }.loss > 1e-4)
  }

  @Test("predicting zero costs the weighted mean square of the target", arguments: cases, [0.5, 5])
  func zero(_ test: Case, _ maximum: Double) throws {
    let result = try run(test, maximum: maximum) { $0.map { _ in 0 } }
    var expected = 0.0
    for (sample, time) in result.times.enumerated() {
      let (alpha, sigma) = Self.level(test.schedule, time)
      let square = result.targets[sample * 4..<sample * 4 + 4].reduce(0) { $0 + $1 * $1 } / 4
      expected += Self.weight(test.weighting, test.prediction, alpha, sigma, maximum) * square / 6
    }
    #expect(abs(result.loss - expected) < 2e-4 * expected, "\(result.loss) against \(expected)")
  }

  @Test("times fall into even parts of the range", arguments: ["linear", "flow"])
  func stratified(_ schedule: String) throws {
    let test = Case(schedule: schedule, prediction: "sample", weighting: "uniform")
    let times = try (0..<20).map { try run(test, seed: UInt64($0)) { $0 }.times }
    for list in times {
      for (sample, time) in list.enumerated() {
        // One sixth of the range each; a flow model's least time is 1.
        #expect(time >= Double(sample) / 6 * 999 - 2 && time <= Double(sample + 1) / 6 * 1000 + 2)
        #expect(schedule == "flow" || time == time.rounded())
      }
    }
    #expect(Set(times.map { $0[0] }).count > 10, "and vary inside them")
  }

  @Test func theWeightOfTheVelocityIsThePlainErrorOfV() throws {
    // For variance-preserving levels SNR + 1 on x̂0 is exactly 1 on v, until the bound acts.
    let weighted = try run(Case(schedule: "linear", prediction: "v_prediction", weighting: "velocity"), maximum: 1e9) { $0.map { _ in 0 } }
    let plain = try run(Case(schedule: "linear", prediction: "v_prediction", weighting: "uniform")) { $0.map { _ in 0 } }
    #expect(abs(weighted.loss - plain.loss) < 1e-5 * plain.loss)
  }
}
