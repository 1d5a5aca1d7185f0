import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Testing

/// The tiny U-Net of `Parity/unet_caches_authors.py` with what its runs were given.
struct UNetFixture: Sendable {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/unet-caches").path

  let file: SafetensorsFile
  let network: any Backbone
  let scale: Double
  /// What the authors' runs were asked for.
  let cases: [JSONValue]

  init(_ name: String) throws {
    file = try SafetensorsFile(path: "\(Self.root)/\(name).safetensors")
    network = try #require(try Architectures.load(folder: Self.root + "/unet").component as? any Backbone)
    scale = try #require(file.metadata["scale"].flatMap(Double.init))
    cases = try JSONValue(parsing: #require(file.metadata["cases"])).array ?? []
  }

  func given(_ name: String) throws -> Tensor { try file.tensor("in.\(name)") }
  func expected(_ run: JSONValue) throws -> Tensor { try file.tensor("out.\(#require(run["name"]?.string))") }

  /// A whole run.
  struct Outcome {
    var state: Tensor
    var session: AccelerationSession
    var acceleration: Acceleration
    var outline: RunOutline
    /// Calls of the network.
    var calls: Int
  }

  /// Guided sampling of two pictures with methods `texts`, as `--accelerate` reads them.
  /// - Parameter recorder: watches a run without methods.
  func run(
    _ texts: [String], timesteps: [Double], solver: String = "ddim", controlled: Bool = false,
    batching: GuidedDenoiser.Batching = .together,
    tap: SiteTap? = nil
  ) throws -> Outcome {
    try run(texts.map { try Self.method($0) }, timesteps: timesteps, solver: solver, controlled: controlled, batching: batching, tap: tap)
  }

  func run(
    _ methods: [any Accelerator], timesteps: [Double], solver: String = "ddim", controlled: Bool = false,
    batching: GuidedDenoiser.Batching = .together, tap: SiteTap? = nil
  ) throws -> Outcome {
    let schedule = try DiscreteVPSchedule(.scaledLinear())
    let list = timesteps.map { "\($0)" }.joined(separator: ",")
    let grid = try AllGrids.make("explicit", ["timesteps": list]).grid(schedule: schedule, steps: timesteps.count)
    let guidance = try Guidance.classifierFree(scale: scale)
    let solver = try AllSolvers.make(solver)
    let table = try solver.compile(schedule: schedule, grid: grid)
    let control = controlled ? [Site.controlNetwork] : []
    var outline = RunOutline(network: "the tiny U-Net", tableau: table, guidance: guidance, sites: control + network.sites)
    outline.trainedTime = schedule.trainSteps.map { Double($0) }
    let acceleration = try Acceleration(methods, run: outline)
    let session = acceleration.makeSession()
    let counter = Counter()
    let policy: (any SitePolicy)? = if let tap { RunRecorder([tap], base: session.sites) } else { session.sites }
    let denoiser = GuidedDenoiser(parametrisation: .epsilon, guidance: guidance, batching: batching, policies: session.calls) {
      (input: Tensor, context: StepContext) throws -> Tensor in
      counter.calls += 1
      return try self.output(input, Evaluation(context, policy: policy), controlled)
    }
    let initial = try given("initial")
    let run = try SamplingRun(
      solver: solver, schedule: schedule, grid: grid, start: .given(initial), change: acceleration.applied(to:))
    let noise = try SeededNoise(seeds: [0, 1])
    let state = try withInference { try run.run(denoiser, noise: noise) }.state
    return Outcome(state: state, session: session, acceleration: acceleration, outline: outline, calls: counter.calls)
  }

  /// A method as `--accelerate` reads it; lists with `;` between their numbers.
  static func method(_ text: String) throws -> any Accelerator {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let pairs = parts.count < 2 ? [] : parts[1].split(separator: ",").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
    return try AllAccelerators.make(
      parts[0], Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1].replacingOccurrences(of: ";", with: ",")) }))
  }

  private final class Counter { var calls = 0 }

  /// One call of the network for the branches of the evaluation.
  func output(_ input: Tensor, _ evaluation: Evaluation, _ controlled: Bool = false) throws -> Tensor {
    let context = evaluation.context
    let samples = input.size(0) / context.branches.count
    let levels = context.sampleLevels ?? Array(repeating: context.level, count: samples)
    let times: [Float] = levels.map { Float($0.timestep) }
    let timestep = Tensor(times).repeated([context.branches.count])
    let prompts = try given("prompt").chunk(2, dim: 0)
    let parts: [Conditioning] = context.branches.map { branch in
      Conditioning(sequence: branch == "negative" ? prompts[0] : prompts[1]).repeated(samples / 2)
    }
    var conditioning = Conditioning.stacked(parts)
    if controlled {
      conditioning.residuals = try evaluation.control(input) { try residuals(context.level.timestep, $0.size(0)) }
    }
    return try network(input, timestep: timestep, conditioning: conditioning, evaluation: evaluation)
  }

  /// What stands for a ControlNet in the authors' runs.
  private func residuals(_ timestep: Double, _ rows: Int) throws -> ControlResiduals {
    let factor = 0.5 + timestep / 1000
    func spread(_ name: String, _ side: Int) throws -> Tensor {
      let value = try given("residual.\(name)")
      return (value * factor).expand([rows, value.size(1), side, side])
    }
    return ControlResiduals(down: try (0..<6).map { try spread("\($0)", $0 < 3 ? 8 : 4) }, middle: try spread("middle", 4))
  }
}

/// The largest difference in standard deviations of `expected`; infinite where a number is not finite.
func gap(_ actual: Tensor, _ expected: Tensor) throws -> Double {
  guard actual.shape == expected.shape else { return .infinity }
  let spread = try withTensorErrors { (expected - expected.mean()).square().mean().sqrt() }
  let value = try withTensorErrors { ((actual - expected).abs().max() / spread).to(.float64) }.item()
  return value.isFinite ? value : .infinity
}

extension JSONValue {
  var numbers: [Double] { array?.compactMap(\.double) ?? [] }
}

/// Inputs of a component's golden by name.
func fixtureInputs(_ folder: String) throws -> [String: Tensor] {
  let file = try SafetensorsFile(path: folder + "/golden.safetensors")
  var result: [String: Tensor] = [:]
  for name in file.names where name.hasPrefix("in.") { result[String(name.dropFirst(3))] = try file.tensor(name) }
  return result
}
