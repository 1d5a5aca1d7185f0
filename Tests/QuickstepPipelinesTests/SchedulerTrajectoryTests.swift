import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
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
