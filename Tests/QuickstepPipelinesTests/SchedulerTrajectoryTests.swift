import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import Testing

/// Whole runs that a scheduler's file chooses, number by number against diffusers' `from_config`; see Parity/schedulers_chosen.py.
@Suite struct SchedulerTrajectoryTests {
  struct Run: Sendable, CustomTestStringConvertible {
    let file: [String: JSONValue]
    /// What the file's class is changed to.
    let changedTo: String?
    let steps: Int
    let prediction: String
    let end: [Double]

    init?(_ value: JSONValue) {
      guard let file = value["file"]?.object, let steps = value["steps"]?.integer, let prediction = value["prediction"]?.string,
        let end = value["end"]?.array?.compactMap(\.double)
      else { return nil }
      (self.file, changedTo, self.steps) = (file, value["to"]?.string, steps)
      (self.prediction, self.end) = (prediction, end)
    }

    var testDescription: String { "\(JSONValue.object(file).text) \(changedTo ?? "") \(steps)" }
  }

  static let golden = Result { try JSONValue(path: Goldens.root + "/schedulers-chosen.json") }
  /// Empty (and then failing in `goldensAreThere`) when the file is missing, so that the test can be declared.
  static let runs = ((try? golden.get())?["cases"]?.array ?? []).compactMap(Run.init)

  private static func numbers(_ value: JSONValue?) -> [Double] { value?.array?.compactMap(\.double) ?? [] }

  @Test func goldensAreThere() throws {
    let golden = try Self.golden.get()
    #expect(Self.runs.count > 650 && Self.runs.count == golden["cases"]?.array?.count)
    #expect(Self.runs.count { $0.changedTo != nil } > 100)
    #expect(golden["versions"]?["diffusers"] != nil)
    let classes = Set(Self.runs.compactMap { $0.changedTo ?? $0.file["_class_name"]?.string })
    #expect(classes == Set(SchedulerClasses.settings.keys))
  }

  @Test("what every class reads is what diffusers' class reads")
  func settings() throws {
    let settings = try #require(try Self.golden.get()["settings"]?.object)
    #expect(Set(settings.keys) == Set(SchedulerClasses.settings.keys))
    for (className, keys) in settings {
      let theirs = Set(keys.array?.compactMap(\.string) ?? [])
      let ours = SchedulerClasses.settings[className] ?? []
      #expect(theirs == ours, "\(className): \(theirs.symmetricDifference(ours).sorted())")
    }
  }

  @Test(arguments: runs) func trajectory(_ run: Run) throws {
    let golden = try Self.golden.get()
    var read = try SchedulerConfiguration(ConfigurationFile(path: "golden", members: run.file))
    if let className = run.changedTo { read = try #require(try read.switched(to: className)) }
    let solver = try #require(read.solver)
    // What is told to be different need not be equal; what is not, has to.
    #expect(read.missingSolver == nil && read.warnings.isEmpty, "\(read.warnings)")
    let spacing = try AllGrids.make(read.spacing, read.spacingParameters(for: solver, steps: run.steps))
    let grid = try spacing.grid(schedule: read.schedule, steps: run.steps)
    let table = try AllSolvers.make(solver, read.solverParameters(for: solver)).compile(schedule: read.schedule, grid: grid)
    let network = ClosedFormNetwork(prediction: run.prediction)
    let corrections = try read.corrections.map { try AllCorrections.make($0.name, $0.parameters) }
    let denoiser = GuidedDenoiser(parametrisation: read.parametrisation, corrections: corrections) { input, context in
      Tensor(network(try input.scalars(Double.self), timestep: context.level.timestep), shape: input.shape)
    }
    let noises = (golden["noises"]?.array ?? []).map { Self.numbers($0) }.map { Tensor($0, shape: [1, $0.count]) }
    let initial = Self.numbers(golden["initial"])
    let executor = try TableauExecutor(
      table, initial: Tensor(initial, shape: [1, initial.count]), noise: FixedNoise(noises), checksFinite: true)
    while let (state, context) = try executor.nextEvaluation() {
      try executor.accept(denoised: denoiser.denoised(state, context: context))
    }
    let end: [Double] = try executor.result.scalars()
    let scale = try #require(run.end.map(abs).max())
    let distance = zip(end, run.end).map { abs($0 - $1) }.max() ?? .infinity
    #expect(end.count == run.end.count && distance < 1e-9 * scale, "\(end), expected \(run.end)")
  }
}

/// The network of Parity/schedulers.py and its companions: the posterior mean of the mixture ½N(−1, ¼) + ½N(+1, ¼) in closed form, as a
/// function of input and timestep only.
struct ClosedFormNetwork {
  /// `epsilon`, `sample`, `v_prediction`, `flow`; `edm`, `edm_v_prediction` and `continuous` inside a preconditioning.
  let prediction: String
  private let variance = 0.25

  init(prediction: String) { self.prediction = prediction }

  func callAsFunction(_ input: [Double], timestep: Double) -> [Double] {
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
